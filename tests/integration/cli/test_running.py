"""A real `pulse up`: results through its door, and every command through its API."""

import json
import stat
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.running import ISSUE, Up
from tests.unit.receiver.webhooks import BODY, github

_numbers = count(1)


@pytest.fixture
def client(running: Up) -> Iterator[httpx2.Client]:
    """The demo's key."""
    with running.client() as opened:
        yield opened


@pytest.fixture
def place(running: Up, run: Run) -> tuple[str, ...]:
    """An organization and an environment that nobody else uses, as options of a command."""
    name = f"Org {next(_numbers)}"
    assert run("organizations", "create", name, "--data", running.folder).code == 0
    assert run("environments", "create", "dev", "--organization", name, "--data", running.folder).code == 0
    return ("--organization", name, "--environment", "dev", "--data", str(running.folder))


def test_what_is_told_when_it_is_ready(running: Up) -> None:
    of_administrator = {"adminEmail", "signInUrl"}
    assert running.told.keys() == {"url", "apiKey", "organizationId", "environmentId"} | of_administrator
    assert running.told["adminEmail"] == "admin@localhost"
    file = running.folder / "credentials.json"
    assert json.loads(file.read_text()) == running.told
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((running.folder / "run.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((running.folder / "secret.key").stat().st_mode) == 0o600


def test_the_link_to_sign_in_leads_somewhere(running: Up) -> None:
    with httpx2.Client(trust_env=False) as browser:
        shown = browser.get(running.told["signInUrl"])
        assert (shown.status_code, "admin@localhost" in shown.text) == (200, True)


def test_it_is_ready(client: httpx2.Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"database": "ok", "sandbox": "ok", "bus": "ok"})


def test_a_result_comes_with_wait(client: httpx2.Client) -> None:
    answer = client.post("/v1/messages?wait=30", json=ISSUE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found = answer.json()
    assert (found["status"], found["workflowName"]) == ("success", "Label new issues")
    assert found["result"] == {"repository": "demo/app", "issue": 1, "labels": ["bug"]}
    assert found["message"]["type"] == "github.issues"
    assert found["context"]["____error_count____"] == 0
    assert client.get(f"/api/messages/{found['id']}").json() == found


def test_a_repeat_with_wait_has_the_same_result(client: httpx2.Client) -> None:
    headers = {"Idempotency-Key": f"repeat {next(_numbers)}"}
    first, again = [client.post("/v1/messages?wait=30", json=ISSUE, headers=headers) for _ in range(2)]
    assert [first.status_code, again.status_code] == [200, 200]
    assert again.json() == first.json()


def test_why_a_message_was_ignored(client: httpx2.Client) -> None:
    found = client.post("/v1/messages?wait=30", json={"type": "nobody.wants.it"}).json()
    assert (found["status"], found["reason"]["code"]) == ("ignore", "no_match")
    rules = {workflow["name"]: workflow["rule"]["field"] for workflow in found["reason"]["workflows"]}
    assert rules["Label new issues"] == "type"


def test_a_webhook_is_evaluated(client: httpx2.Client, run: Run, running: Up) -> None:
    made = run(
        "sources", "create", "--kind", "github", "--organization", "Demo", "--data", running.folder, "--json"
    ).json
    body = json.dumps(ISSUE["payload"]).encode()
    headers = {"content-type": "application/json", **github(body, made["secret"])}
    answer = httpx2.post(made["url"], content=body, headers=headers, trust_env=False)
    assert answer.status_code == 202
    found = client.get(f"/api/messages/{answer.json()['id']}?wait=30").json()
    assert found["result"]["labels"] == ["bug"]
    forged = {**headers, **github(BODY, made["secret"])}
    assert httpx2.post(made["url"], content=body, headers=forged, trust_env=False).status_code == 401


def test_too_much_is_refused_on_the_wire(client: httpx2.Client) -> None:
    large = json.dumps({"a": "x" * (2 << 20)}).encode()

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    headers = {"content-type": "application/json"}
    for content in (large, chunks()):
        answer = client.post("/v1/messages", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert client.post("/v1/messages", json={}).status_code == 202


def test_commands_speak_to_the_api(run: Run, running: Up, place: tuple[str, ...]) -> None:
    key = run("keys", "create", "--name", "ci", *place, "--json").json
    with httpx2.Client(
        base_url=running.url, headers={"Authorization": f"Bearer {key['key']}"}, trust_env=False
    ) as mine:
        assert mine.post("/v1/messages", json={}).status_code == 202
        run("keys", "revoke", key["id"], *place)
        assert mine.post("/v1/messages", json={}).status_code == 401
    told = run("sources", "create", "--kind", "hmac", *place)
    assert told.out.startswith(f"address  {running.url}/v1/hooks/src_")
    assert run("messages", "list", *place, "--json").json["pagination"]["total"] == 1


def test_apply_send_and_look(run: Run, place: tuple[str, ...], tmp_path: Path) -> None:
    document = {
        "name": "Double",
        "entities": {"any": {"name": "Any", "entityType": "event", "postScript": "___result___ = n * 2;"}},
        "workflowData": {"root": {"entityId": "any", "entityType": "event"}},
    }
    file = tmp_path / "double.yaml"
    file.write_text(json.dumps(document))
    assert run("workflows", "apply", file, *place, "--json").json == [{"workflow": "Double", "change": "create"}]
    told = run("send", "-", "--wait", *place, "--json", stdin='{"n": 1}\n{"n": 2}\n{"n": "x"}\n')
    assert (told.code, told.err) == (0, "")
    assert [found["status"] for found in told.json] == ["success"] * 3
    assert [found.get("result") for found in told.json] == [2, 4, None]
    file.write_text(json.dumps(document).replace("n * 2", "n * 3"))
    assert run("workflows", "apply", file, *place, "--json").json == [{"workflow": "Double", "change": "change"}]
    (again,) = run("send", "-", "--wait", *place, "--json", stdin='{"n": 2}').json
    assert (again["result"], again["workflowVersion"] > 1) == (6, True)
    shown = run("messages", "show", again["id"], *place).out
    assert "success" in shown
    assert "Double" in shown
    run("workflows", "disable", "Double", *place)
    (ignored,) = run("send", "-", "--wait", *place, "--json", stdin='{"n": 2}').json
    assert (ignored["status"], ignored["reason"]["code"]) == ("ignore", "inactive")
    assert "switched off" in run("messages", "show", ignored["id"], *place).out
    replayed = run("messages", "replay", "--status", "success", "--since", "1h", *place, "--json").json
    assert replayed["count"] == 4


def test_nothing_of_a_message_moves_the_cursor(run: Run, place: tuple[str, ...], tmp_path: Path) -> None:
    """Titles of windows, colours, markup: a message shows what it says, and does nothing."""
    evil = "\x1b]0;title\x07\x1b[31m[bold]red[/bold]\x9b2J\u202e\r\x08:bug:[/x]"
    script = "print(text); ___result___ = text; throw new Error(text)"
    document = {
        "name": f"Evil {evil}",
        "entities": {"a": {"name": "A", "entityType": "event", "postScript": script}},
        "workflowData": {"root": {"entityId": "a", "entityType": "event"}},
    }
    file = tmp_path / "evil.yaml"
    file.write_text(json.dumps(document))
    run("workflows", "apply", file, *place)
    message = json.dumps({"type": evil, "text": evil})
    (found,) = run("send", "-", "--wait", *place, "--json", stdin=message).json
    assert found["message"]["text"] == evil
    for command in (
        ("messages", "list"),
        ("messages", "show", found["id"]),
        ("workflows", "list"),
        ("workflows", "show", document["name"]),
        ("messages", "list", "--json"),
        ("messages", "show", found["id"], "--json"),
        ("workflows", "list", "--json"),
    ):
        told = run(*command, *place)
        assert told.code == 0, told.err
        assert not set("\x1b\x07\x9b\u202e\r\x08\x7f") & set(told.out + told.err), command
    shown = run("messages", "show", found["id"], *place).out
    assert "[bold]red[/bold]" in shown
    assert ":bug:[/x]" in shown


@pytest.mark.parametrize("command", [("up", "--port", "0"), ("migrate",)], ids=" ".join)
def test_a_second_process_on_the_folder_is_refused(running: Up, run: Run, command: tuple[str, ...]) -> None:
    sentence = run(*command, "--data", running.folder).sentence
    assert sentence.startswith(f"pulse: Process {running.process.pid} is using the data folder")
    assert (running.folder / "run.json").exists()


def test_a_port_in_use_is_refused(running: Up, run: Run, tmp_path: Path) -> None:
    port = running.url.rpartition(":")[2]
    sentence = run("up", "--port", port, "--data", tmp_path / "other").sentence
    words = f"127.0.0.1:{port} cannot be used: Address already in use. Choose another with --port."
    assert sentence == f"pulse: {words}\n"
    assert not (tmp_path / "other").exists()


def test_doctor_sees_it_running(running: Up, run: Run) -> None:
    told = run("doctor", "--data", running.folder, "--json")
    found: dict[str, Any] = {finding["part"]: finding for finding in told.json}
    assert told.code == 0, found
    assert f"process {running.process.pid} at {running.url}" in found["data folder"]["detail"]
    assert found["database"]["detail"] == "sqlite, schema up to date"
    assert found["sandbox"]["state"] == "ok"
    assert found["PULSE_DATA"]["detail"] == str(running.folder)
