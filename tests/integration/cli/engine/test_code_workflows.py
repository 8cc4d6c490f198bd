"""`pulse workflows` with --app or --code: the workflows of an application's engine."""

from pathlib import Path

import pytest

from tests.integration.cli.engine.conftest import Shop


def test_list(shop: Shop) -> None:
    found = shop("workflows", "list", "--json").json["data"]
    assert sorted((row["tenantId"], row["name"], row["triggerType"]) for row in found) == [
        ("acme", "Remind", "cart"),
        ("acme", "Ship", "order"),
        ("beta", "Ship", "order"),
    ]
    out = shop("workflows", "list", "--tenant", "beta").out
    assert out.count("Ship") == 1
    assert "Remind" not in out


def test_show_by_name_and_by_id(shop: Shop) -> None:
    by_name = shop("workflows", "show", "Remind", "--json").json
    assert by_name["isEnabled"] is True
    assert [step["type"] for step in by_name["steps"]] == ["delay", "action"]
    assert shop("workflows", "show", by_name["id"], "--json").json == by_name
    assert "delayMs: 86400000" in shop("workflows", "show", "Remind").out


def test_disable_and_enable(shop: Shop) -> None:
    assert shop("workflows", "disable", "Remind").out == "Remind is off\n"
    assert shop.emit(1, kind="cart") == []
    assert "isEnabled: false" in shop("workflows", "show", "Remind").out
    assert shop("workflows", "enable", "Remind", "--json").json["isEnabled"] is True
    assert len(shop.emit(1, kind="cart")) == 1


def test_a_name_that_several_tenants_have_needs_the_tenant(shop: Shop) -> None:
    sentence = shop("workflows", "disable", "Ship").sentence
    assert "--tenant" in sentence
    assert "acme" in sentence
    assert "beta" in sentence
    assert shop("workflows", "disable", "Ship", "--tenant", "beta").code == 0
    assert (len(shop.emit(1)), len(shop.emit(1, tenant="beta"))) == (1, 0)


@pytest.mark.parametrize("command", ["show", "enable", "disable"])
def test_what_is_not_there_is_said(shop: Shop, command: str) -> None:
    assert shop("workflows", command, "nosuch").sentence == "pulse: There is no code workflow 'nosuch'.\n"
    assert "of 'beta'" in shop("workflows", command, "Remind", "--tenant", "beta").sentence


def test_the_application_may_be_named_by_the_environment(
    shop: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "PULSE_APP" in shop.run("workflows", "list", "--code").sentence
    monkeypatch.setenv("PULSE_APP", shop.app)
    assert len(shop.run("workflows", "list", "--code", "--json").json["data"]) == 3
    # Without --code, drawn workflows are meant, whatever the environment says.
    assert shop.run("workflows", "list", "--json", "--data", folder).json["data"] == []


@pytest.mark.parametrize(
    ("words", "option"),
    [(("--tenant", "acme"), "--tenant"), (("--code", "--organization", "Acme"), "--organization")],
)
def test_what_belongs_to_the_other_kind_is_usage(shop: Shop, words: tuple[str, ...], option: str) -> None:
    told = shop.run("workflows", "list", *words)
    assert told.code == 2
    assert option in told.err
