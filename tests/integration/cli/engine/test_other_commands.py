"""Commands that are not about runs, where an application is configured."""

from pathlib import Path

import pytest

from tests.integration.cli.engine.conftest import Shop


def test_doctor_looks_at_the_application(shop: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def state() -> tuple[str, str]:
        findings = shop.run("doctor", "--data", folder, "--json").json
        (found,) = [each for each in findings if each["part"] == "application"]
        return found["state"], found["detail"]

    monkeypatch.setenv("PULSE_APP", shop.app)
    assert state() == ("ok", f"{shop.app}, schema up to date")
    (folder.parent / "shop.db").rename(folder.parent / "elsewhere.db")
    assert state()[0] == "note"
    assert "is not migrated" in state()[1]
    monkeypatch.setenv("PULSE_APP", "nosuch_module:engine")
    assert state()[0] == "wrong"
    assert "There is no module 'nosuch_module'" in state()[1]


@pytest.mark.parametrize("command", [("send", "-"), ("messages", "replay", "--status", "fail")], ids=" ".join)
def test_what_stores_messages_wants_to_know_the_application(
    shop: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """A message that is stored without it would never come to the engine."""
    monkeypatch.setenv("PULSE_APP", "nosuch_module:engine")
    sentence = shop.run(*command, "--data", folder, stdin='{"type": "order"}').sentence
    assert "There is no module 'nosuch_module'" in sentence
    assert shop.run("messages", "list", "--data", folder).out == "No messages yet.\n"
