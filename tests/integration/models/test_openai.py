"""Chat Completions and the Responses API: exactly what is sent, and what answers mean."""

import re
from dataclasses import replace

import pytest

from pulse.egress.port import Unreachable
from pulse.models.openai import OpenAIModels, limit_field
from pulse.models.port import Access, Image, ModelFailed, Usage
from pulse.models.responses import ResponsesModels
from pulse.models.wire.exchange import STREAM_BYTES
from tests.contract.conftest import SetClock
from tests.contract.models.peers import openai
from tests.contract.models.peers.serving import Answer
from tests.contract.models.providers import Provider, provided
from tests.integration.models.prompts import EVERYTHING, QUESTION, SCHEMA, peer, streamed

FORMAT = {"name": "answer", "schema": SCHEMA, "strict": True}
PICTURE = "data:image/png;base64,iVBORw=="


async def test_a_chat_with_everything(chat: Provider) -> None:
    await chat.models.complete(chat.access, chat.prompt(**EVERYTHING))
    sent = peer(chat).received[-1]
    assert (sent.method, sent.path, sent.query) == ("POST", "/v1/chat/completions", "")
    assert sent.headers["authorization"] == f"Bearer {openai.KEY}"
    assert sent.headers["idempotency-key"] == "msg_1:wf_2:3"
    parts = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    assert sent.json == {
        "model": "gpt-4.1",
        "messages": [{"role": "system", "content": "You know capitals."}, {"role": "user", "content": parts}],
        "temperature": 1.5,
        "max_tokens": 300,
        "response_format": {"type": "json_schema", "json_schema": FORMAT},
    }


async def test_a_bare_chat(chat: Provider) -> None:
    await chat.models.complete(chat.access, chat.prompt())
    assert peer(chat).last == {"model": "gpt-4.1", "messages": [{"role": "user", "content": QUESTION}]}
    assert "idempotency-key" not in peer(chat).received[-1].headers


async def test_a_streamed_chat_asks_for_usage(chat: Provider) -> None:
    await streamed(chat)
    assert peer(chat).last["stream"] is True
    assert peer(chat).last["stream_options"] == {"include_usage": True}
    assert chat.way_out.sent[-1].max_bytes == STREAM_BYTES


async def test_a_picture_may_be_an_address(chat: Provider, responses: Provider) -> None:
    images = [Image(url="https://example.com/a.png")]
    await chat.models.complete(chat.access, chat.prompt(images=images))
    assert peer(chat).last["messages"][0]["content"][1]["image_url"] == {"url": "https://example.com/a.png"}
    await responses.models.complete(responses.access, responses.prompt(images=images))
    assert peer(responses).last["input"][0]["content"][1]["image_url"] == "https://example.com/a.png"


async def test_a_schema_that_is_not_strict_is_sent_as_such(chat: Provider) -> None:
    await chat.models.complete(chat.access, chat.prompt(schema=SCHEMA | {"additionalProperties": True}))
    assert peer(chat).last["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["openai", "responses"])
async def test_a_model_that_refuses_has_filtered(name: str, stream: bool) -> None:
    async with provided(name) as provider:
        peer(provider).does.stop = "refusal"
        with pytest.raises(ModelFailed, match="cannot assist") as caught:
            if stream:
                await streamed(provider)
            else:
                await provider.models.complete(provider.access, provider.prompt())
    assert caught.value.reason == "content_filtered"


async def test_a_server_without_keys_is_sent_none(chat: Provider) -> None:
    with pytest.raises(ModelFailed) as caught:
        await chat.models.complete(replace(chat.access, api_key=None), chat.prompt())
    assert caught.value.reason == "unauthorized"
    assert "authorization" not in peer(chat).received[-1].headers


async def test_headers_of_the_access_are_added(chat: Provider) -> None:
    access = replace(chat.access, headers={"OpenAI-Organization": "org-pulse", "Authorization": "Bearer other"})
    with pytest.raises(ModelFailed):
        await chat.models.complete(access, chat.prompt())
    assert peer(chat).received[-1].headers["openai-organization"] == "org-pulse"
    assert peer(chat).received[-1].headers["authorization"] == "Bearer other"
    assert {"authorization", "openai-organization"} <= chat.way_out.sent[-1].credentials
    assert chat.way_out.sent[-1].follow_redirects is False


async def test_a_server_that_answers_a_stream_with_json_is_not_understood(chat: Provider) -> None:
    peer(chat).does.raw = Answer.of({"choices": []})
    with pytest.raises(ModelFailed) as caught:
        await streamed(chat)
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        (None, "OpenAI"),
        ("https://eu.api.openai.com/v1", "OpenAI"),
        ("https://pulse.openai.azure.com/openai/v1", "Azure OpenAI"),
        ("https://api.x.ai/v1", "xAI"),
        ("https://models.example.com/v1", "models.example.com"),
        ("https://notx.ai/v1", "notx.ai"),
        ("http://[broken", "The provider"),
    ],
)
@pytest.mark.parametrize("made", [OpenAIModels, ResponsesModels])
async def test_a_server_is_called_by_its_name(
    chat: Provider, made: type[OpenAIModels | ResponsesModels], base_url: str | None, name: str
) -> None:
    chat.way_out.refused = Unreachable()
    with pytest.raises(ModelFailed, match=rf"^{re.escape(name)} cannot be reached"):
        await made(chat.way_out, SetClock()).check(Access(base_url, api_key=openai.KEY))
    assert chat.way_out.sent[-1].url == f"{base_url or 'https://api.openai.com/v1'}/models"


async def test_vectors_that_are_missing_are_a_bad_answer(chat: Provider) -> None:
    peer(chat).does.raw = Answer.of({"data": [{"index": 0, "embedding": [0.5]}], "model": "m"})
    with pytest.raises(ModelFailed) as caught:
        await chat.models.embed(chat.access, "text-embedding-3-small", ["one", "two"])
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    "vectors", [[[], []], [[0.5], [0.5, 0.5]], [[1e400], [0.5]]], ids=["empty", "ragged", "infinite"]
)
async def test_vectors_that_make_no_sense_are_a_bad_answer(chat: Provider, vectors: list[list[float]]) -> None:
    rows = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    peer(chat).does.raw = Answer.of({"data": rows, "model": "m"})
    with pytest.raises(ModelFailed) as caught:
        await chat.models.embed(chat.access, "text-embedding-3-small", ["one", "two"])
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("https://api.openai.com/v1/chat/completions", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://pulse.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://api.x.ai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:11434/v1", "max_tokens"),
        ("https://notopenai.com/v1", "max_tokens"),
        ("https://api.openai.com.example.org/v1", "max_tokens"),
    ],
)
def test_the_limit_is_called_as_the_server_knows_it(url: str, field: str) -> None:
    assert limit_field(url) == field


async def test_reasoning_that_only_the_total_counts_is_counted(chat: Provider) -> None:
    """As xAI counts: completion_tokens leaves reasoning out."""
    usage = {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, "prompt_tokens_details": None}
    message = {"message": {"content": "101"}, "finish_reason": "stop"}
    peer(chat).does.raw = Answer.of({"choices": [message], "model": "grok-4.6", "usage": usage})
    completion = await chat.models.complete(chat.access, chat.prompt())
    assert completion.usage == Usage(32, 103, 0)


async def test_a_server_that_counts_nothing_is_taken_as_it_is(chat: Provider) -> None:
    peer(chat).does.raw = Answer.of({"choices": [{"message": {"content": "Hi"}, "finish_reason": "tool_calls"}]})
    completion = await chat.models.complete(chat.access, chat.prompt())
    assert (completion.text, completion.usage, completion.model, completion.stop) == ("Hi", Usage(), "gpt-4.1", "other")


# ---- Responses ---------------------------------------------------------------------------------------------------


async def test_a_response_with_everything(responses: Provider) -> None:
    await responses.models.complete(responses.access, responses.prompt(**EVERYTHING))
    sent = peer(responses).received[-1]
    assert (sent.method, sent.path) == ("POST", "/v1/responses")
    assert sent.headers["idempotency-key"] == "msg_1:wf_2:3"
    content = [{"type": "input_text", "text": QUESTION}, {"type": "input_image", "image_url": PICTURE}]
    assert sent.json == {
        "model": "gpt-4.1",
        "instructions": "You know capitals.",
        "input": [{"role": "user", "content": content}],
        "temperature": 1.5,
        "max_output_tokens": 300,
        "text": {"format": {"type": "json_schema", **FORMAT}},
        "store": False,
    }


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_response_that_failed_is_a_failure(responses: Provider, stream: bool) -> None:
    peer(responses).does.stop = "failed"
    with pytest.raises(ModelFailed, match="failed to generate a response") as caught:
        if stream:
            await streamed(responses)
        else:
            await responses.models.complete(responses.access, responses.prompt())
    assert caught.value.reason == "provider_error"


async def test_a_response_that_goes_on_elsewhere_is_not_understood(responses: Provider) -> None:
    peer(responses).does.raw = Answer.of({"status": "queued", "output": []})
    with pytest.raises(ModelFailed) as caught:
        await responses.models.complete(responses.access, responses.prompt())
    assert caught.value.reason == "bad_answer"
