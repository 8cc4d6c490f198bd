"""`postToMastodon` and `postLatestPromptToMastodon`, against a server that knows idempotency keys."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.peers import Mastodon, running

TOKEN = CANARY


@pytest.fixture
async def mastodon() -> AsyncIterator[Mastodon]:
    async with running(Mastodon(token=TOKEN)) as peer:
        yield peer


@pytest.fixture
def social(bench: Bench, mastodon: Mastodon, ways_out: WaysOut) -> Bench:
    return bench.reaching(egress=ways_out(mastodon.place))


def post(url: str, token: Any = TOKEN, status: Any = "Good morning") -> str:
    return f"await postToMastodon({json.dumps(url)}, {json.dumps(token)}, {json.dumps(status)})"


def variables(mastodon: Mastodon) -> dict[str, str]:
    return {"MASTODON_URL": mastodon.url, "MASTODON_ACCESS_TOKEN": TOKEN}


async def test_a_status_is_posted(social: Bench, mastodon: Mastodon) -> None:
    ran = await social.tried(post(f"{mastodon.url}/", status="Grüße & 👋"))
    assert ran.result == {
        "id": "109000000000000000",
        "url": "https://social.example/@pulse/109000000000000000",
        "created_at": "2026-11-21T17:00:00.000Z",
        "content": "<p>Grüße & 👋</p>",
    }
    entry = dict(ran.entry)
    assert entry.pop("durationMs") >= 0
    assert entry == {"type": "api", "service": "mastodon", "status": 200, "success": True}
    hides(ran)


async def test_a_repeat_is_the_same_status(social: Bench, mastodon: Mastodon) -> None:
    call = post(mastodon.url)
    first = await social.tried(call)
    again = await social.tried(call, like=first, past=first.cut_off())
    assert again.result == first.result
    assert [heard.header("idempotency-key") for heard in mastodon.heard] == [f"{first.message_id}:wf_1:1"] * 2
    assert len(mastodon.statuses) == 1


async def test_two_calls_are_two_statuses(social: Bench, mastodon: Mastodon) -> None:
    ran = await social.tried(f"[{post(mastodon.url)}, {post(mastodon.url)}].map(({{ id }}) => id)")
    assert len(set(ran.result)) == 2 == len(mastodon.statuses)


@pytest.mark.parametrize(
    ("status", "body", "code", "retryable"),
    [
        (401, {"error": f"The access token {CANARY} was revoked"}, "unauthorized", False),
        (403, {"error": "This action is not allowed"}, "forbidden", False),
        (404, {"error": "Not found"}, "rejected", False),
        (422, {"error": "Validation failed: Text contains a banned word"}, "rejected", False),
        (429, {"error": "Too many requests"}, "rate_limited", True),
        (500, {"error": "Internal"}, "server_error", True),
        (503, b"<html>maintenance</html>", "server_error", True),
        (200, b"<html>a login page</html>", "bad_answer", False),
        (200, [], "bad_answer", False),
    ],
)
async def test_failures(social: Bench, mastodon: Mastodon, status: int, body: Any, code: str, retryable: bool) -> None:
    mastodon.instead = (status, body)
    ran = await social.tried(post(mastodon.url))
    assert (ran.failure.code, ran.failure.retryable, ran.failure.effect) == (code, retryable, "postToMastodon")
    assert ran.failure.message.startswith(f"Mastodon answered {status}")
    assert (ran.entry["success"], ran.entry["code"], ran.entry["status"]) == (False, code, status)
    hides(ran)


async def test_a_wrong_token_is_repeated_by_the_server_and_not_by_us(social: Bench, mastodon: Mastodon) -> None:
    mastodon.token = "another"
    ran = await social.tried(post(mastodon.url))
    assert (ran.failure.code, len(mastodon.heard)) == ("unauthorized", 1)
    assert CANARY in str(mastodon.heard[0].headers)
    hides(ran)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (post("https://social.example", status=""), "status: 1 to 500 characters, not 0."),
        (post("https://social.example", status="x" * 501), "status: 1 to 500 characters, not 501."),
        (post("https://social.example", status=5), "status: Expected `str`, got `int`."),
        ("await postToMastodon('https://social.example')", "await postToMastodon(mastodonUrl, accessToken, status)"),
    ],
)
async def test_faults_of_arguments(social: Bench, mastodon: Mastodon, call: str, words: str) -> None:
    ran = await social.tried(call)
    assert ran.failure.code == "invalid_arguments"
    assert words in ran.failure.message
    assert mastodon.heard == []
    hides(ran)


async def test_500_characters_are_taken_whatever_their_bytes(social: Bench, mastodon: Mastodon) -> None:
    assert (await social.tried(post(mastodon.url, status="👋" * 500))).result["id"] == "109000000000000000"


async def test_without_the_exception_it_is_out_of_bounds(bench: Bench, mastodon: Mastodon, ways_out: WaysOut) -> None:
    ran = await bench.reaching(egress=ways_out()).tried(post(mastodon.url))
    assert (ran.failure.code, mastodon.server.connections) == ("address_refused", 0)
    assert (ran.entry["service"], ran.entry["code"]) == ("http", "address_refused")
    hides(ran)


# ---- the latest answer to a prompt -------------------------------------------------------------------------------


async def test_the_latest_answer_is_posted(social: Bench, mastodon: Mastodon) -> None:
    message = {"promptResponse_1": "first", "promptResponse_2": "An answer"}
    ran = await social.tried("await postLatestPromptToMastodon()", message=message, variables=variables(mastodon))
    assert ran.result["content"] == "<p>An answer</p>"
    assert mastodon.heard[0].header("idempotency-key") == f"{ran.message_id}:wf_1:1"
    hides(ran)


@pytest.mark.parametrize("missing", ["MASTODON_URL", "MASTODON_ACCESS_TOKEN"])
async def test_it_needs_its_variables(social: Bench, mastodon: Mastodon, missing: str) -> None:
    known = {name: value for name, value in variables(mastodon).items() if name != missing}
    call = "await postLatestPromptToMastodon()"
    ran = await social.tried(call, message={"promptResponse_1": "An answer"}, variables=known)
    assert ran.failure.code == "not_configured"
    assert "MASTODON_URL and MASTODON_ACCESS_TOKEN" in ran.failure.message


async def test_and_an_answer(social: Bench, mastodon: Mastodon) -> None:
    ran = await social.tried("await postLatestPromptToMastodon()", variables=variables(mastodon))
    assert (ran.failure.code, mastodon.heard) == ("no_response", [])


async def test_which_is_text(social: Bench, mastodon: Mastodon) -> None:
    message = {"promptResponse_1": {"headline": "An answer"}}
    call = "await postLatestPromptToMastodon()"
    ran = await social.tried(call, message=message, variables=variables(mastodon))
    assert ran.failure.code == "invalid_arguments"
    assert "status: Expected `str | null`, got `object`." in ran.failure.message
