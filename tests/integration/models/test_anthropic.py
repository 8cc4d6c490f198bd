"""Messages: exactly what is sent, and what answers mean."""

from dataclasses import replace

import pytest

from pulse.models.port import Image, ModelFailed
from tests.contract.models.peers import anthropic as wire
from tests.contract.models.peers.serving import sse
from tests.contract.models.providers import Provider
from tests.integration.models.prompts import EVERYTHING, QUESTION, SCHEMA, peer, streamed


async def test_a_message_with_everything(anthropic: Provider) -> None:
    await anthropic.models.complete(anthropic.access, anthropic.prompt(**EVERYTHING))
    sent = peer(anthropic).received[-1]
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert sent.headers["x-api-key"] == wire.KEY
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert sent.headers["idempotency-key"] == "msg_1:wf_2:3"
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}
    content = [{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]
    assert sent.json == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 300,
        "system": "You know capitals.",
        "messages": [{"role": "user", "content": content}],
        "temperature": 1.0,
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


async def test_a_bare_message_has_a_limit_all_the_same(anthropic: Provider) -> None:
    await anthropic.models.complete(anthropic.access, anthropic.prompt())
    assert peer(anthropic).last == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
    }


async def test_a_picture_may_be_an_address(anthropic: Provider) -> None:
    images = [Image(url="https://example.com/a.png")]
    await anthropic.models.complete(anthropic.access, anthropic.prompt(images=images))
    source = peer(anthropic).last["messages"][0]["content"][0]["source"]
    assert source == {"type": "url", "url": "https://example.com/a.png"}


async def test_a_schema_that_cannot_be_closed_is_told_in_words(anthropic: Provider) -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    await anthropic.models.complete(anthropic.access, anthropic.prompt(schema=schema))
    assert "output_config" not in peer(anthropic).last
    assert '"additionalProperties": {"type": "integer"}' in peer(anthropic).last["messages"][0]["content"][0]["text"]


async def test_the_version_may_be_another(anthropic: Provider) -> None:
    access = replace(anthropic.access, headers={"Anthropic-Version": "2026-10-21"})
    with pytest.raises(ModelFailed, match="anthropic-version"):
        await anthropic.models.complete(access, anthropic.prompt())
    assert peer(anthropic).received[-1].headers["anthropic-version"] == "2026-10-21"


async def test_an_event_of_an_unknown_type_is_passed_over(anthropic: Provider) -> None:
    events = [
        '{"type": "message_start", "message": {"content": [], "model": "claude-x", "usage": {"input_tokens": 3}}}',
        '{"type": "something_new", "delta": {"type": "text_delta", "text": "no"}}',
        '{"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "text": "no"}}',
        '{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}}',
        '{"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 2}}',
        '{"type": "message_stop"}',
    ]
    peer(anthropic).does.raw = sse([("x", event) for event in events])
    completion = await streamed(anthropic)
    assert (completion.text, completion.model, completion.stop) == ("yes", "claude-x", "other")
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (3, 2)


async def test_a_reason_to_stop_without_an_end_is_no_end(anthropic: Provider) -> None:
    event = '{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}'
    peer(anthropic).does.raw = sse([("message_delta", event)])
    with pytest.raises(ModelFailed) as caught:
        await streamed(anthropic)
    assert caught.value.reason == "unreachable"
