"""docs/guide/configuration.md is true: its folder is applied, and every command in it is one."""

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.cli.configuration.conftest import Organizations
from tests.integration.cli.configuration.house import CANARY, contents, written
from tests.integration.cli.conftest import Run
from tests.integration.docs.page import ROOT

GUIDE = (ROOT / "docs/guide/configuration.md").read_text(encoding="utf-8")


def test_the_folder_of_the_guide(
    organizations: Organizations, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = dict(re.findall(r"^```yaml (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
    assert len(files) == 6
    for name in ("OPENAI_API_KEY", "SHOP_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "acme", files=files)
    commands = [shlex.split(line) for line in re.findall(r"^    pulse organizations (.+)$", GUIDE, re.MULTILINE)]
    assert [words[0] for words in commands] == ["export", "apply", "apply", "apply"]
    for words in (*commands[1:], commands[0]):
        told = organizations(*words, "--data", bare)
        assert told.code == 0, told.err
    assert contents(tmp_path / "acme") == files


def test_the_commands_that_the_guide_names(run: Run) -> None:
    for command in sorted(set(re.findall(r"`pulse ((?!up`)[a-z ]+)`", GUIDE))):
        assert run(*command.split(), "--help").code == 0, command
