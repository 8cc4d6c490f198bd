"""`pulse runs`: what an application's engine has run, looked at and acted on from outside."""

import pytest

from pulse.cli.runs import choosing
from tests.integration.cli.engine.conftest import Shop


def test_list_is_newest_first_with_filters(shop: Shop) -> None:
    assert shop("runs", "list").out == "No runs yet.\n"
    first, failed = shop.emit(1, -1)
    (other,) = shop.emit(2, tenant="beta")
    shop.drive()
    (waiting,) = shop.emit(3, kind="cart")

    def listed(*filters: str) -> list[str]:
        found = shop("runs", "list", "--json", *filters).json
        return [run["id"] for run in found["data"]]

    assert set(listed()) == {first, failed, other, waiting}
    assert listed() == sorted(listed(), reverse=True)
    assert listed("--tenant", "beta") == [other]
    assert listed("--status", "failed") == [failed]
    assert listed("--workflow", "Remind") == [waiting]
    assert listed("--type", "cart") == [waiting]
    assert listed("--workflow", "Ship", "--status", "completed", "--tenant", "acme") == [first]
    assert listed("--since", "1h") == []
    assert set(listed("--since", "36500d")) == {first, failed, other, waiting}


def test_list_says_when_there_are_more(shop: Shop) -> None:
    shop.emit(1, 2, 3)
    told = shop("runs", "list", "--limit", "2")
    assert told.out.count("run_") == 2
    assert "There are more; --limit shows them." in told.err
    assert shop("runs", "list", "--limit", "2", "--json").json["more"] is True
    assert shop("runs", "list", "--limit", "3", "--json").json["more"] is False
    assert shop("runs", "list", "--status", "failed").out == "No such runs.\n"


def test_the_table_says_why(shop: Shop) -> None:
    shop.emit(-1)
    shop.drive()
    (waiting,) = shop.emit(1, kind="cart")
    shop("runs", "cancel", waiting, "--reason", "a duplicate")
    out = shop("runs", "list").out
    assert "The card was refused." in out
    assert "a duplicate" in out
    assert "acme" in out


def test_show_a_failed_run(shop: Shop) -> None:
    (failed,) = shop.emit(-1)
    shop.drive()
    out = shop("runs", "show", failed).out
    for words in ("Ship (version 1", "order, from test", '{"n": -1}', "The card was refused.", "packing", "run_failed"):
        assert words in out, out
    assert "it was skipped" not in out
    assert "a condition was false" in out
    assert f"at 'pay', the step that failed: pulse runs retry {failed} --app {shop.app}" in out
    found = shop("runs", "show", failed, "--json").json
    assert (found["id"], found["status"], found["tenantId"]) == (failed, "failed", "acme")
    assert [step["status"] for step in found["steps"]] == ["completed", "completed", "skipped", "failed"]
    assert found["trigger"]["payload"] == {"n": -1}
    assert [each["type"] for each in found["timeline"]][:: len(found["timeline"]) - 1] == ["run_created", "run_failed"]
    assert [log["message"] for log in found["logs"]] == ["packing"]


def test_show_says_what_to_do_next(shop: Shop) -> None:
    (done,) = shop.emit(1)
    shop.drive()
    (pending,) = shop.emit(2)
    assert "pulse runs replay trg_" in shop("runs", "show", done).out
    assert f"pulse runs cancel {pending} --app {shop.app}" in shop("runs", "show", pending).out
    assert "is the application's engine running?" in shop("runs", "show", pending).out


def test_with_the_application_in_the_environment_commands_need_no_flag(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (failed,) = shop.emit(-1)
    shop.drive()
    monkeypatch.setenv("PULSE_APP", shop.app)
    told = shop.run("runs", "show", failed)
    assert told.out.count(f"pulse runs retry {failed}\n") == 1
    assert "the module prints this" not in told.out


def test_cancel_one(shop: Shop) -> None:
    (waiting,) = shop.emit(1, kind="cart")
    assert shop("runs", "cancel", waiting, "--reason", "a duplicate").out == f"{waiting} canceled\n"
    found = shop("runs", "show", waiting, "--json").json
    assert (found["status"], found["cancelReason"]) == ("canceled", "a duplicate")
    assert "cannot become canceled" in shop("runs", "cancel", waiting).sentence
    assert "There is no run 'run_nosuch'" in shop("runs", "cancel", "run_nosuch").sentence


def test_cancel_by_filter_asks_or_is_told(shop: Shop) -> None:
    mine = shop.emit(1, 2, kind="cart")
    (other,) = shop.emit(3, tenant="beta")
    assert "Cancel 2 runs? Say so with --yes." in shop("runs", "cancel", "--tenant", "acme").sentence
    assert {shop.status(each) for each in mine} == {"pending"}
    assert shop("runs", "cancel", "--tenant", "acme", "--yes").out == "2 runs canceled.\n"
    assert [shop.status(each) for each in (*mine, other)] == ["canceled", "canceled", "pending"]
    assert shop("runs", "cancel", "--tenant", "acme", "--json").json == {"canceled": 0}
    assert "have ended" in shop("runs", "cancel", "--status", "failed", "--yes").sentence


@pytest.mark.parametrize(("answer", "status"), [("y", "canceled"), ("n", "pending"), ("", "pending")])
def test_on_a_terminal_it_asks(shop: Shop, monkeypatch: pytest.MonkeyPatch, answer: str, status: str) -> None:
    (run_id,) = shop.emit(1)
    monkeypatch.setattr(choosing, "_is_a_terminal", lambda: True)
    told = shop("runs", "cancel", "--workflow", "Ship", stdin=f"{answer}\n")
    assert "Cancel 1 run?" in told.err
    assert told.out.endswith("1 run canceled.\n" if status == "canceled" else "0 runs canceled.\n")
    assert shop.status(run_id) == status


def test_many_are_counted_up_to_a_limit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "PAGE", 2)
    monkeypatch.setattr(choosing, "MOST", 5)
    shop.emit(1, 2, 3)
    assert "Cancel 3 runs?" in shop("runs", "cancel", "--workflow", "Ship").sentence
    shop.emit(4, 5, 6)
    assert "Cancel at least 5 runs?" in shop("runs", "cancel", "--workflow", "Ship").sentence
    assert shop("runs", "cancel", "--workflow", "Ship", "--yes", "--json").json == {"canceled": 6}


def test_retry(shop: Shop) -> None:
    one, two, other = shop.emit(-1, -2, -3)
    shop.drive()
    assert shop("runs", "retry", one).out == f"{one} will go on as soon as a running engine takes it.\n"
    assert shop("runs", "show", one, "--json").json["attempt"] == 2
    assert "Only a failed run can be retried" in shop("runs", "retry", one).sentence
    assert "pack, is_large, inspect, pay" in shop("runs", "retry", two, "--from-step", "nosuch").sentence
    assert shop("runs", "retry", two, "--from-step", "pack", "--json").json["status"] == "running"
    shop.drive()
    logs = shop("runs", "show", two, "--json").json["logs"]
    assert [log["message"] for log in logs].count("packing") == 2
    assert "Retry 3 runs?" in shop("runs", "retry", "--workflow", "Ship").sentence
    assert shop("runs", "retry", "--workflow", "Ship", "--yes").out.startswith("3 runs will go on")
    assert shop.status(other) == "running"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cancel",), "Say which runs"),
        (("retry",), "Say which runs"),
        (("cancel", "run_1", "--workflow", "Ship"), "not both"),
        (("retry", "run_1", "--since", "1h"), "not both"),
        (("retry", "--since", "1h", "--from-step", "pack"), "--from-step is for one run"),
        (("list", "--since", "yesterday"), "30m, 1h or 7d"),
        (("show", "run_nosuch"), "There is no run 'run_nosuch'."),
        (("replay", "trg_nosuch"), "There is no trigger 'trg_nosuch'."),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_what_does_not_make_sense_is_said(shop: Shop, words: tuple[str, ...], said: str) -> None:
    assert said in shop("runs", *words).sentence


def test_a_run_of_another_tenant_is_not_there(shop: Shop) -> None:
    (run_id,) = shop.emit(-1)
    shop.drive()
    for command in ("show", "cancel", "retry"):
        assert f"There is no run {run_id!r}" in shop("runs", command, run_id, "--tenant", "beta").sentence
    trigger = shop("runs", "show", run_id, "--json").json["triggerId"]
    assert "There is no trigger" in shop("runs", "replay", trigger, "--tenant", "beta").sentence


def test_replay(shop: Shop) -> None:
    (run_id,) = shop.emit(1)
    shop.drive()
    trigger = shop("runs", "show", run_id, "--json").json["triggerId"]
    assert f"its signal: {trigger}" in shop("runs", "replay", run_id).sentence
    told = shop("runs", "replay", trigger)
    new = told.out.split()[0]
    assert told.out == f"{new}  Ship\n"
    (dry,) = shop("runs", "replay", trigger, "--dry-run", "--json").json
    assert (dry["isReplay"], dry["isDryRun"]) == (True, True)
    shop.drive()
    steps = shop("runs", "show", new, "--json").json["steps"]
    assert [(step["stepName"], step["status"]) for step in steps][-1] == ("pay", "skipped")
    assert "it is not replay-safe" in shop("runs", "show", new).out
    assert "completed (replay)" in shop("runs", "list").out
    assert "completed (dry run)" in shop("runs", "list").out


def test_a_replay_has_the_time_at_which_it_was_asked_for(shop: Shop) -> None:
    (run_id,) = shop.emit(1)
    shop.drive()
    first = shop("runs", "show", run_id, "--json").json
    (again,) = shop("runs", "replay", first["triggerId"], "--json").json
    assert again["createdAt"] > first["createdAt"]
    assert [run["id"] for run in shop("runs", "list", "--json", "--since", "1h").json["data"]] == [again["id"]]
    assert shop("runs", "list", "--json", "--limit", "1").json["data"][0]["id"] == again["id"]


def test_replay_of_the_original_versions(shop: Shop) -> None:
    (run_id,) = shop.emit(1)
    trigger = shop("runs", "show", run_id, "--json").json["triggerId"]
    assert shop("workflows", "disable", "Ship", "--tenant", "acme").code == 0
    assert shop("runs", "replay", trigger).out == "It started nothing: no enabled workflow matches this signal.\n"
    (original,) = shop("runs", "replay", trigger, "--original", "--json").json
    assert original["definitionVersion"] == 1
