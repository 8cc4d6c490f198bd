"""`pulse doctor`: every part is looked at, what is wrong says what to do, nothing is made and no secret is shown."""

import json
import sys
from pathlib import Path

import pytest

from pulse.bootstrap import doctor
from pulse.bootstrap.doctor import Finding, examine_all
from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sandbox says is tested with the sandbox; here it would only take time."""

    async def nothing(_settings: Settings) -> list[Finding]:
        return []

    monkeypatch.setattr(doctor, "_sandbox", nothing)


async def found(settings: Settings) -> dict[str, Finding]:
    return {finding.part: finding for finding in await examine_all(settings)}


async def test_before_the_first_start(tmp_path: Path) -> None:
    parts = await found(load_settings(tmp_path / "none"))
    assert parts["data folder"].state == parts["database"].state == "note"
    assert "first start" in parts["data folder"].detail
    assert not (tmp_path / "none").exists()


async def test_all_is_well(tmp_path: Path) -> None:
    data = OpenData(load_settings(tmp_path))
    await data.prepare()
    await data.close()
    parts = await found(load_settings(tmp_path))
    assert {finding.state for finding in parts.values()} <= {"ok", "note"}
    assert parts["database"].detail == "sqlite, schema up to date"


async def test_a_schema_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "pulse.db").touch()
    parts = await found(load_settings(tmp_path))
    assert (parts["database"].state, "pulse migrate" in parts["database"].detail) == ("wrong", True)


async def test_a_damaged_database(tmp_path: Path) -> None:
    (tmp_path / "pulse.db").write_bytes(b"no database, however long it may be " * 100)
    assert (await found(load_settings(tmp_path)))["database"].state == "wrong"


async def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    parts = await found(load_settings(tmp_path / "file"))
    assert (parts["data folder"].state, "--data" in parts["data folder"].detail) == ("wrong", True)


async def test_a_disk_that_runs_low(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOW_WATER", 1 << 62)
    parts = await found(load_settings(tmp_path))
    assert (parts["data folder"].state, "make room" in parts["data folder"].detail) == ("wrong", True)


@pytest.mark.parametrize(("key", "state"), [("bad", "wrong"), ("A" * 43 + "=", "ok")])
async def test_the_master_key(tmp_path: Path, key: str, state: str) -> None:
    finding = (await found(load_settings(tmp_path, PULSE_SECRET_KEY=key)))["secret key"]
    assert finding.state == state
    assert key not in finding.detail


async def test_objects_that_are_nowhere(tmp_path: Path) -> None:
    parts = await found(load_settings(tmp_path, PULSE_OBJECTS_URL="gopher://x"))
    assert parts["objects"].state == "wrong"


@pytest.mark.parametrize(
    ("url", "state", "words"),
    [
        ("memory:", "ok", "in this process"),
        ("redis://pulse:hunter2@127.0.0.1:1", "wrong", "127.0.0.1:1"),
        ("redis://pulse:hunter2@127.0.0.1:x", "wrong", "redis://user:password@host:6379"),
        ("gopher://hunter2", "wrong", "must be memory: or redis://"),
    ],
)
async def test_the_bus(tmp_path: Path, url: str, state: str, words: str) -> None:
    finding = (await found(load_settings(tmp_path, PULSE_BUS_URL=url)))["bus"]
    assert (finding.state, words in finding.detail) == (state, True), finding
    assert "hunter2" not in finding.detail


async def test_many_processes_that_do_not_hear_each_other(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, PULSE_DATABASE_URL="postgresql://127.0.0.1:1/pulse", CACHE_REFRESH_SECONDS=7)
    finding = (await found(settings))["bus"]
    assert (finding.state, "after up to 7 seconds" in finding.detail) == ("note", True)


async def test_a_bus_whose_client_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pulse.bus.redis", None)
    finding = (await found(load_settings(tmp_path, PULSE_BUS_URL="redis://127.0.0.1:1")))["bus"]
    assert (finding.state, "pulse[redis]" in finding.detail) == ("wrong", True)


async def test_a_server_that_does_not_answer_and_its_password(tmp_path: Path) -> None:
    url = "postgresql://pulse:hunter2@127.0.0.1:1/pulse"
    findings = await examine_all(load_settings(tmp_path, PULSE_DATABASE_URL=url, PULSE_SECRET_KEY="A" * 43 + "="))
    parts = {finding.part: finding for finding in findings}
    assert parts["database"].state == "wrong"
    text = json.dumps([vars(finding) for finding in findings])
    assert "hunter2" not in text
    assert "A" * 43 not in text
    assert "postgresql://pulse:***@127.0.0.1:1/pulse" in text
