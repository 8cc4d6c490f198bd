"""`pulse usage`, `pulse audit`, `pulse rotate-master-key`."""

import hashlib
import json
from pathlib import Path

import pytest

from pulse.tenancy.secrets.vault import new_master_key
from tests.integration.cli.conftest import Run


def test_usage_without_a_limit(run: Run, folder: Path) -> None:
    told = run("usage", "show", "--data", folder)
    assert told.out.endswith(": 0 messages, without a limit\n")


def test_a_limit_is_given_and_reached(run: Run, folder: Path, tmp_path: Path) -> None:
    given = run("usage", "limit", "1", "--policy", "hold", "--data", folder)
    assert given.out == "1 message a month (hold)\n"
    file = tmp_path / "messages.ndjson"
    file.write_text('{"type":"order"}\n' * 3)
    assert run("send", file, "--data", folder).code == 0
    found = run("usage", "show", "--data", folder, "--json").json
    assert (found["currentCount"], found["heldCount"], found["isOverLimit"]) == (1, 2, True)
    told = run("usage", "show", "--data", folder).out
    assert "1 of 1 message (100.0 %, hold)" in told
    assert "2 wait until the limit rises or the month ends\nThe limit is reached." in told
    assert run("usage", "limit", "none", "--data", folder).out == "any number of messages a month (hard_limit)\n"
    assert run("usage", "history", "--months", "2", "--data", folder, "--json").json["history"][0]["count"] == 1


def test_a_limit_that_is_none(run: Run, folder: Path) -> None:
    refused = run("usage", "limit", "many", "--data", folder)
    assert (refused.code, "Give a number, or none." in refused.err) == (2, True)
    refused = run("usage", "limit", "5", "--policy", "perhaps", "--data", folder)
    assert "overagePolicy" in refused.sentence


def test_what_was_changed_is_listed_and_exported(run: Run, folder: Path, tmp_path: Path) -> None:
    run("variables", "set", "API_KEY", "canary", "--data", folder)
    listed = run("audit", "list", "--data", folder, "--json")
    entry = listed.json["data"][0]
    assert (entry["actor"]["kind"], entry["action"], entry["subjects"][0]["name"]) == (
        "local",
        "variables:write",
        "API_KEY",
    )
    assert "variables:write" in run("audit", "list", "--data", folder).out
    assert "canary" not in listed.out
    file = tmp_path / "audit.ndjson"
    assert run("audit", "export", file, "--data", folder, "--json").json["entries"] == len(listed.json["data"])
    previous = bytes(32)
    for line in file.read_bytes().splitlines():
        found = json.loads(line)
        said = bytes.fromhex(found.pop("hash"))
        canonical = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        previous = hashlib.sha256(previous + canonical).digest()
        assert said == previous, "whoever has the file can verify it"


def test_the_master_key_is_changed(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("variables", "set", "API_KEY", "canary", "--data", folder)
    old, new = (folder / "secret.key").read_text().strip(), new_master_key()
    monkeypatch.setenv("PULSE_SECRET_KEY", new)
    lost = run("rotate-master-key", "--data", folder)
    assert lost.code == 1
    assert "Set the key that was used, too." in lost.out
    monkeypatch.setenv("PULSE_SECRET_KEY", f"{new},{old}")
    changed = run("rotate-master-key", "--data", folder, "--json").json
    assert changed["sealed"] > 0
    assert changed["unreadable"] == []
    monkeypatch.setenv("PULSE_SECRET_KEY", new)
    same = run("variables", "set", "API_KEY", "canary", "--data", folder, "--json").json
    assert same["version"] == 1, "it is read with the new key alone"
