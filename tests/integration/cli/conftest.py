"""Commands in this process (quick) on folders that no process holds, and one `pulse up` for all tests of a process."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from pulse.cli.main import tree
from tests.integration.cli.running import OURS, Up, up

APP = tree()


@dataclass
class Told:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout says, which must be one line of JSON and nothing else."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What went wrong, as a sentence: no traceback, nothing on stdout."""
        assert self.code == 1, (self.code, self.out, self.err)
        assert "Traceback" not in self.err
        assert self.out == ""
        assert self.err.startswith("pulse: ")
        assert "  File " not in self.err
        return self.err


Run = Callable[..., Told]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in this process; what it raises beyond an exit code is raised here."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str | Path, stdin: str | bytes = "") -> Told:
        result = CliRunner().invoke(APP, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Told(result.exit_code, result.stdout, result.stderr)

    yield run
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an organization *Acme* and an environment *dev*, to be copied."""
    data = tmp_path_factory.mktemp("template") / "data"
    for words in (("organizations", "create", "Acme"), ("environments", "create", "dev", "--organization", "Acme")):
        assert CliRunner().invoke(APP, [*words, "--data", str(data)]).exit_code == 0
    return data


@pytest.fixture
def folder(tmp_path: Path, run: Run, template: Path) -> Path:
    """A copy of the template of its own; no process holds it."""
    return shutil.copytree(template, tmp_path / "data")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `pulse up` for all tests that only add to it."""
    with up(tmp_path_factory.mktemp("running") / "data") as started:
        yield started
