"""Installations that have the whole of *Acme*, made once by applying its folder, and copied for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from tests.integration.cli.configuration.house import CANARY, SHELL, written
from tests.integration.cli.conftest import APP, Run, Told

Organizations = Callable[..., Told]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    """*Acme* with a member, and what the installation has for all its organizations."""
    data = shutil.copytree(template, tmp_path_factory.mktemp("empty") / "data")
    for words in (
        ("users", "create", "kim@acme.example", "--organization", "Acme"),
        ("credentials", "create", "Shared", "--provider", "mock", "--system"),
        ("models", "configure", "Standard", "--model", "mock/mock-small", "--credential", "Shared", "--system"),
    ):
        made = CliRunner().invoke(APP, [*words, "--data", str(data)])
        assert made.exit_code == 0, made.stderr
    structlog.reset_defaults()
    return data


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    """The same, after the folder was applied."""
    place = tmp_path_factory.mktemp("furnished")
    data, files = shutil.copytree(empty, place / "data"), written(place / "files")
    words = ["organizations", "apply", str(files), "--data", str(data)]
    made = CliRunner().invoke(APP, words, env=SHELL)
    assert made.exit_code == 0, made.stderr
    assert CANARY not in made.stdout + made.stderr
    structlog.reset_defaults()
    return data


@pytest.fixture
def house(tmp_path: Path, furnished: Path) -> Path:
    """A data folder with all of *Acme*, which no process holds."""
    return shutil.copytree(furnished, tmp_path / "data")


@pytest.fixture
def bare(tmp_path: Path, empty: Path) -> Path:
    """A data folder in which *Acme* has an environment and a member, and nothing more."""
    return shutil.copytree(empty, tmp_path / "bare")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell holds the secrets that the files name."""
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def organizations(run: Run) -> Organizations:
    """`pulse organizations …`, which never says what is secret."""

    def told(*arguments: str | Path) -> Told:
        found = run("organizations", *arguments)
        assert CANARY not in found.out + found.err
        return found

    return told
