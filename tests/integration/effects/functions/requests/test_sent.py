"""`httpRequest`: what is sent, and what is kept of it."""

import json
from typing import Any

import pytest

from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.peers import told
from tests.integration.effects.functions.requests.turning import Turning, options
from tests.integration.egress.servers import HOME, Server, reply


async def test_a_get_says_what_is_needed_and_no_more(web: Bench, server: Server) -> None:
    ran = await web.tried(options(url=server.url("/v1/orders?state=open")))
    assert (ran.result["status"], ran.result["data"]) == (200, {"ok": True})
    assert ran.result["elapsedMs"] >= 0
    (heard,) = server.requests
    assert (heard.method, heard.path, heard.body) == ("GET", "/v1/orders?state=open", b"")
    assert {name for name, _ in heard.headers} == {"host", "accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post"])
async def test_what_changes_something_carries_a_key(web: Bench, server: Server, method: str) -> None:
    ran = await web.tried(options(url=server.url("/orders"), method=method, body={"n": 1}))
    (heard,) = server.requests
    assert (heard.method, heard.header("idempotency-key")) == (method.upper(), f"{ran.message_id}:wf_1:1")
    assert (heard.header("content-type"), json.loads(heard.body)) == ("application/json", {"n": 1})


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_changes_nothing_carries_none(web: Bench, server: Server, turn: Turning, method: str) -> None:
    turn.answering = reply(204)
    ran = await web.tried(options(url=server.url("/"), method=method))
    assert (ran.result["status"], ran.result["data"]) == (204, None)
    assert server.requests[0].header("idempotency-key") is None


async def test_a_key_of_the_scripts_own_wins(web: Bench, server: Server) -> None:
    await web.tried(options(url=server.url("/"), method="POST", headers={"IDEMPOTENCY-Key": "order-7"}))
    assert [value for name, value in server.requests[0].headers if name == "idempotency-key"] == ["order-7"]


async def test_a_request_that_was_cut_off_is_repeated_with_its_key(web: Bench, server: Server) -> None:
    call = options(url=server.url("/"), method="POST", body="paid")
    first = await web.tried(call)
    again = await web.tried(call, like=first, past=first.cut_off())
    once_more = await web.tried(call, like=first, past=again.recorded())
    assert [heard.header("idempotency-key") for heard in server.requests] == [f"{first.message_id}:wf_1:1"] * 2
    assert once_more.result["data"] == {"ok": True}


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ({"a": [1, "é"]}, "application/json", '{"a":[1,"é"]}'.encode()),
        ([], "application/json", b"[]"),
        ("plain é", "text/plain; charset=utf-8", "plain é".encode()),
        (5, "application/json", b"5"),
        (False, "application/json", b"false"),
        (None, None, b""),
    ],
)
async def test_bodies(web: Bench, server: Server, body: Any, kind: str | None, sent: bytes) -> None:
    await web.tried(options(url=server.url("/"), method="POST", body=body))
    assert (server.requests[0].header("content-type"), server.requests[0].body) == (kind, sent)


async def test_the_script_may_say_what_its_body_is(web: Bench, server: Server) -> None:
    kind = "application/x-www-form-urlencoded"
    await web.tried(options(url=server.url("/"), method="POST", body="a=1&b=2", headers={"Content-Type": kind}))
    assert [value for name, value in server.requests[0].headers if name == "content-type"] == [kind]
    assert server.requests[0].body == b"a=1&b=2"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "/"),
        ({"path": "v1/orders?x=1"}, "/v1/orders?x=1"),
        ({"path": "/v1"}, "/v1"),
    ],
)
async def test_a_domain_and_a_path_stand_for_an_address(web: Bench, server: Server, given: Any, path: str) -> None:
    await web.tried(options(domain=f"http://{server.authority}/", **given))
    assert server.requests[0].path == path


async def test_a_bare_domain_means_https(web: Bench, server: Server) -> None:
    """The server here speaks no TLS, and waits for more than a greeting."""
    ran = await web.tried(options(domain=server.authority, path="/v1", timeoutMs=100))
    assert (ran.failure.code, ran.entry["url"]) == ("timeout", server.url("/v1", scheme="https"))
    assert (server.connections, server.requests) == (1, [])


@pytest.mark.parametrize(("given", "name"), [({}, "x-api-key"), ({"apiKeyHeader": "X-Team-Key"}, "x-team-key")])
async def test_a_key_for_the_server(web: Bench, server: Server, given: Any, name: str) -> None:
    ran = await web.tried(options(url=server.url("/"), apiKey=CANARY, **given))
    assert server.requests[0].header(name) == CANARY
    hides(ran)


async def test_headers_are_texts_numbers_or_yes_and_no(web: Bench, server: Server) -> None:
    headers = {"X-Text": "a", "X-Number": 5, "X-Part": 1.5, "X-Yes": True, "X-No": False}
    await web.tried(options(url=server.url("/"), headers=headers))
    said = dict(server.requests[0].headers)
    assert [said[name.lower()] for name in headers] == ["a", "5", "1.5", "true", "false"]


# ---- what is kept ------------------------------------------------------------------------------------------------


async def test_the_log_has_the_call_without_its_query(web: Bench, server: Server) -> None:
    ran = await web.tried(options(url=server.url(f"/v1/orders?token={CANARY}#part"), method="POST", body=CANARY))
    entry = dict(ran.entry)
    assert entry.pop("durationMs") >= 0
    assert entry == {
        "type": "api",
        "service": "http",
        "method": "POST",
        "url": server.url("/v1/orders"),
        "status": 200,
        "success": True,
    }
    assert ran.log[0]["entityId"] == "e"


@pytest.mark.parametrize("status", [200, 500])
async def test_a_secret_of_a_variable_is_kept_nowhere(web: Bench, server: Server, turn: Turning, status: int) -> None:
    """The server repeats it; the script sees it, and nobody else does."""
    turn.answering = told(status, {"you sent": CANARY}, f"X-Echo: {CANARY}")
    call = f"""await httpRequest({{ url: '{server.url("/")}' + KEY, method: 'POST',
        headers: {{ Authorization: 'Bearer ' + KEY }}, apiKey: KEY, body: {{ key: KEY }} }})"""
    ran = await web.tried(f"[KEY === '{CANARY[:-3]}' + '{CANARY[-3:]}', {call}]", variables={"KEY": CANARY})
    assert ran.result[0] is True
    assert ran.result[1]["data"] == {"you sent": "***"}
    assert server.requests[0].header("authorization") == f"Bearer {CANARY}"
    hides(ran)


async def test_a_secret_in_the_script_is_not_in_the_journal(web: Bench, server: Server) -> None:
    headers = {"Authorization": f"Bearer {CANARY}", "X-Api-Key": CANARY, "Cookie": f"session={CANARY}"}
    hides(await web.tried(options(url=server.url("/"), method="POST", headers=headers)))


@pytest.mark.parametrize("url", [f"http://user:{CANARY}@{HOME}/", f"http:user:{CANARY}@{HOME}", f"https://{CANARY}@x/"])
async def test_a_password_in_an_address_is_refused_and_not_repeated(web: Bench, url: str) -> None:
    ran = await web.tried(options(url=url))
    assert ran.failure.code == "invalid_address"
    assert CANARY not in str(ran.log) + ran.failure.message
