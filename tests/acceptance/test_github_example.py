"""The example for GitHub's webhooks, as its README says, on its own deliveries and on real ones."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.installed import ROOT, pulse_up, run
from tests.chaos.rig.process import free_port

EXAMPLE = ROOT / "examples" / "github"
REAL = ROOT.parent / "shared" / "data" / "github-webhooks" / "deliveries.ndjson"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the demo runs."""
    with pulse_up(tmp_path, free_port()):
        yield tmp_path


def send(folder: Path, *file: Path) -> list[str]:
    """What the example prints."""
    source = json.loads(run(folder, "pulse", "sources", "create", "--kind", "github", "--json"))
    script = [sys.executable, str(EXAMPLE / "send.py"), source["url"], source["secret"]]
    return run(folder, *script, *map(str, file)).splitlines()


@pytest.mark.timeout(120)
def test_its_own_deliveries(folder: Path) -> None:
    lines = send(folder)
    count = len((EXAMPLE / "deliveries.ndjson").read_text().splitlines())
    assert lines[-1] == f"{count} deliveries, 0 not as expected"
    assert {line.split()[1] for line in lines[:-1]} == {"success", "ignore"}


@pytest.mark.timeout(180)
@pytest.mark.skipif(not REAL.exists(), reason="the real deliveries do not lie beside this checkout")
def test_real_deliveries(folder: Path) -> None:
    lines = send(folder, REAL)
    assert lines[-1] == "120 deliveries, 0 not as expected"
    ended = [line.split()[1] for line in lines[:-1]]
    assert ended.count("success") > 20
    assert ended.count("ignore") > 50


@pytest.mark.timeout(120)
def test_a_wrong_outcome_is_seen(folder: Path, tmp_path: Path) -> None:
    """Without its workflow nothing is labelled: the comparison must say so."""
    run(folder, "pulse", "workflows", "disable", "Label new issues")
    source = json.loads(run(folder, "pulse", "sources", "create", "--kind", "github", "--json"))
    script = f"{sys.executable} {EXAMPLE / 'send.py'} {source['url']} {source['secret']} | cat"
    shown = run(tmp_path, "bash", "-c", script)
    assert "3 not as expected" in shown
