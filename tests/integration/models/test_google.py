"""Gemini: exactly what is sent, what answers mean, and tokens of service accounts."""

import asyncio
import json
from dataclasses import replace

import pytest

from pulse.models.google import GoogleModels
from pulse.models.port import Image, ModelFailed
from tests.contract.conftest import SetClock
from tests.contract.models.peers import google as wire
from tests.contract.models.peers.serving import Answer
from tests.contract.models.providers import Provider
from tests.integration.models.prompts import EVERYTHING, QUESTION, SCHEMA, peer, streamed


async def test_a_prompt_with_everything(google: Provider) -> None:
    await google.models.complete(google.access, google.prompt(**EVERYTHING))
    sent = peer(google).received[-1]
    assert (sent.method, sent.path) == ("POST", "/v1beta/models/gemini-3.8-flash:generateContent")
    assert sent.headers["x-goog-api-key"] == wire.KEY
    assert "key=" not in sent.query
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}
    assert sent.json == {
        "contents": [{"role": "user", "parts": [{"text": QUESTION}, picture]}],
        "systemInstruction": {"parts": [{"text": "You know capitals."}]},
        "generationConfig": {
            "temperature": 1.5,
            "maxOutputTokens": 300,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
    }


async def test_a_bare_prompt(google: Provider) -> None:
    await google.models.complete(google.access, google.prompt())
    assert peer(google).last == {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]}


async def test_a_stream_is_asked_for_as_events(google: Provider) -> None:
    completion = await streamed(google)
    sent = peer(google).received[-1]
    assert (sent.path, sent.query) == ("/v1beta/models/gemini-3.8-flash:streamGenerateContent", "alt=sse")
    assert "asked for" not in completion.text  # a thought is no answer


async def test_a_picture_has_to_be_fetched_first(google: Provider) -> None:
    with pytest.raises(ModelFailed, match="bytes only") as caught:
        await google.models.complete(google.access, google.prompt(images=[Image(url="https://example.com/a.png")]))
    assert caught.value.reason == "invalid_request"
    assert peer(google).received == []


@pytest.mark.parametrize("model", ["../../v1/files", "gemini?key=stolen", "a/b"])
async def test_a_models_name_cannot_lead_elsewhere(google: Provider, model: str) -> None:
    await google.models.complete(google.access, google.prompt(model=model))
    path = peer(google).received[-1].path
    assert path.startswith("/v1beta/models/")
    assert path.count("/") == 3
    assert peer(google).received[-1].query == ""


async def test_a_name_may_come_with_its_kind(google: Provider) -> None:
    await google.models.complete(google.access, google.prompt(model="models/gemini-3.8-flash"))
    assert peer(google).received[-1].path == "/v1beta/models/gemini-3.8-flash:generateContent"
    await google.models.embed(google.access, "models/gemini-embedding-001", ["one"])
    assert peer(google).last["requests"][0]["model"] == "models/gemini-embedding-001"


async def test_an_answer_with_no_reason_to_stop_is_not_understood(google: Provider) -> None:
    peer(google).does.raw = Answer.of({"candidates": [{"content": {"parts": [{"text": "Par"}]}}]})
    with pytest.raises(ModelFailed) as caught:
        await google.models.complete(google.access, google.prompt())
    assert caught.value.reason == "bad_answer"


async def test_what_was_said_before_the_filter_is_kept(google: Provider) -> None:
    candidate = {"content": {"parts": [{"text": "It begins"}]}, "finishReason": "RECITATION"}
    peer(google).does.raw = Answer.of({"candidates": [candidate]})
    completion = await google.models.complete(google.access, google.prompt())
    assert (completion.text, completion.stop) == ("It begins", "filtered")


# ---- service accounts --------------------------------------------------------------------------------------------


def google_peer(provider: Provider) -> wire.GooglePeer:
    assert isinstance(provider.peer, wire.GooglePeer)
    return provider.peer


async def test_one_token_serves_until_it_expires(account: Provider) -> None:
    clock = SetClock()
    models = GoogleModels(account.way_out, clock)
    for _ in range(3):
        await models.complete(account.access, account.prompt())
    assert google_peer(account).granted == 1
    clock.ms += (3599 - 61) * 1000
    await models.complete(account.access, account.prompt())
    assert google_peer(account).granted == 1
    clock.ms += 2000
    google_peer(account).now_s = clock.ms // 1000
    await models.complete(account.access, account.prompt())
    assert google_peer(account).granted == 2


async def test_requests_side_by_side_ask_for_one_token(account: Provider) -> None:
    asked = [account.models.complete(account.access, account.prompt()) for _ in range(8)]
    assert len(await asyncio.gather(*asked)) == 8
    assert google_peer(account).granted == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_token_that_was_refused_is_not_used_again(account: Provider, stream: bool) -> None:
    await account.models.complete(account.access, account.prompt())
    google_peer(account).revoked = True
    with pytest.raises(ModelFailed) as caught:
        if stream:
            await streamed(account)
        else:
            await account.models.complete(account.access, account.prompt())
    assert caught.value.reason == "unauthorized"
    assert wire.TOKEN not in caught.value.message
    await account.models.complete(account.access, account.prompt())
    assert google_peer(account).granted == 2


async def test_headers_of_the_access_do_not_go_to_who_grants_tokens(account: Provider) -> None:
    await account.models.complete(replace(account.access, headers={"x-gateway": "secret"}), account.prompt())
    grant, asked = peer(account).received
    assert (grant.path, "x-gateway" in grant.headers) == ("/token", False)
    assert asked.headers["x-gateway"] == "secret"


@pytest.mark.parametrize(
    "file",
    [
        "",
        "{",
        "[]",
        '{"client_email": "a@b", "token_uri": "https://example.com"}',
        json.dumps({"client_email": "a@b", "private_key": "no key"}),
        json.dumps(
            {"client_email": "a@b", "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}
        ),
    ],
    ids=["empty", "half", "a-list", "no-key", "not-a-key", "a-broken-key"],
)
async def test_a_key_file_that_is_none_is_refused_before_anything_is_sent(account: Provider, file: str) -> None:
    with pytest.raises(ModelFailed, match="service account") as caught:
        await account.models.check(replace(account.access, service_account=file))
    assert caught.value.reason == "unauthorized"
    assert peer(account).received == []


async def test_an_account_that_is_not_known_is_unauthorized(account: Provider) -> None:
    file = str(account.access.service_account).replace("pulse@", "nobody@")
    with pytest.raises(ModelFailed) as caught:
        await account.models.check(replace(account.access, service_account=file))
    assert caught.value.reason == "unauthorized"
    assert "Invalid JWT Signature" in caught.value.message
