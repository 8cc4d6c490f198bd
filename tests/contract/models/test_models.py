"""What every adapter keeps to: answers, whole and streamed, vectors, and the check of an access."""

import json
import math
from contextlib import aclosing
from typing import Any

import pytest

from pulse.models.port import Access, Completion, Delta, Image, ModelFailed, Models, Prompt
from tests.contract.models.peers.serving import ANSWER, JSON_ANSWER
from tests.contract.models.providers import Provider

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 80},
        "inhabitants": {"type": "integer", "minimum": 0},
        "note": {"type": "string"},
    },
    "required": ["city", "inhabitants"],
}


async def streamed(models: Models, access: Access, prompt: Prompt) -> list[Delta]:
    async with aclosing(models.stream(access, prompt)) as deltas:  # type: ignore[type-var]
        return [delta async for delta in deltas]


async def test_a_prompt_is_answered(provider: Provider) -> None:
    completion = await provider.models.complete(provider.access, provider.prompt())
    assert "France" in completion.text
    assert completion.stop == "end"
    assert completion.model.startswith(provider.model)
    assert completion.usage.input_tokens > completion.usage.cached_tokens >= 0
    assert completion.usage.output_tokens > 0


async def test_tokens_are_counted_alike_whoever_the_provider_is(remote: Provider) -> None:
    completion = await remote.models.complete(remote.access, remote.prompt())
    assert completion.text == "".join(ANSWER)
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (19, 10)
    assert completion.usage.cached_tokens == 4


async def test_a_stream_gives_the_same_answer_in_pieces_and_then_whole(provider: Provider) -> None:
    whole = await provider.models.complete(provider.access, provider.prompt())
    deltas = await streamed(provider.models, provider.access, provider.prompt())
    assert [delta for delta in deltas if delta.completion is not None] == deltas[-1:]
    assert deltas[-1].text == ""
    assert len(deltas) > 3
    assert "".join(delta.text for delta in deltas) == whole.text
    assert deltas[-1].completion == whole


async def test_a_stream_may_be_left(provider: Provider) -> None:
    async with aclosing(provider.models.stream(provider.access, provider.prompt())) as deltas:  # type: ignore[type-var]
        async for delta in deltas:
            assert delta.text
            break
    assert (await provider.models.complete(provider.access, provider.prompt())).text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_schema_brings_json(provider: Provider, stream: bool) -> None:
    completion = await asked(provider, provider.prompt(schema=SCHEMA), stream=stream)
    answer = json.loads(completion.text)
    assert isinstance(answer["city"], str)
    assert isinstance(answer["inhabitants"], int)
    assert completion.stop == "end"
    if provider.peer is not None:
        assert answer == json.loads("".join(JSON_ANSWER))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_that_was_cut_says_so(provider: Provider, stream: bool) -> None:
    completion = await asked(provider, provider.stopping("length", provider.prompt()), stream=stream)
    assert completion.stop == "length"
    assert completion.text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_that_the_filter_ate_is_a_failure(remote: Provider, stream: bool) -> None:
    prompt = remote.stopping("filtered", remote.prompt())
    with pytest.raises(ModelFailed) as caught:
        await asked(remote, prompt, stream=stream)
    assert caught.value.reason == "content_filtered"
    assert not caught.value.retryable


async def test_everything_a_prompt_has_is_taken(provider: Provider) -> None:
    prompt = provider.prompt(
        system="You know capitals.",
        images=[Image(data=PNG), Image(data=PNG, media_type="image/jpeg")],
        temperature=1.5,
        max_tokens=300,
        schema=SCHEMA,
        key="msg_1:wf_2:3",
    )
    completion = await provider.models.complete(provider.access, prompt)
    assert json.loads(completion.text)["city"]


async def test_what_the_model_does_not_take_is_left_out_or_folded_in(provider: Provider) -> None:
    prompt = provider.prompt(
        system="You know capitals.", images=[Image(data=PNG)], temperature=0.7, schema=SCHEMA, takes=frozenset()
    )
    completion = await provider.models.complete(provider.access, prompt)
    assert completion.text
    if provider.peer is not None:
        sent = json.dumps(provider.peer.last)
        assert "temperature" not in sent
        assert '"image' not in sent
        assert "inlineData" not in sent
        assert "You know capitals.\\n\\nWhat is the capital of France?\\n\\nAnswer with JSON" in sent
        assert completion.text == "".join(ANSWER)


@pytest.mark.parametrize(
    "text", ["Grüße aus 東京 🚂", 'a "quoted" \\ word', "line\nbreak\r\n\ttab", "\u2028", "0" * 20_000]
)
async def test_a_text_arrives_as_it_is(remote: Provider, text: str) -> None:
    await remote.models.complete(remote.access, remote.prompt(text))
    assert remote.peer is not None
    assert text in texts_of(remote.peer.last)


async def test_texts_become_vectors_in_order(provider: Provider) -> None:
    texts = ["an order that is late", "eight", "a much longer text about something else entirely"]
    if provider.embedder is None:
        with pytest.raises(ModelFailed) as caught:
            await provider.models.embed(provider.access, provider.model, texts)
        assert caught.value.reason == "invalid_request"
        return
    found = await provider.models.embed(provider.access, provider.embedder, texts)
    alone = [(await provider.models.embed(provider.access, provider.embedder, [text])).vectors[0] for text in texts]
    assert [list(vector) for vector in found.vectors] == [list(vector) for vector in alone]
    assert len({len(vector) for vector in found.vectors}) == 1
    assert found.model == provider.embedder
    assert found.usage.output_tokens == 0


async def test_many_texts_are_sent_in_portions(provider: Provider) -> None:
    if provider.embedder is None or provider.name == "bedrock":
        texts = 3
    else:
        texts = 2500 if provider.name in ("openai", "responses", "mock") else 205
    if provider.embedder is not None:
        made = await provider.models.embed(provider.access, provider.embedder, [f"text {n}" for n in range(texts)])
        assert len(made.vectors) == texts
        assert all(math.isfinite(number) for number in made.vectors[-1])


async def test_no_texts_have_no_vectors(provider: Provider) -> None:
    if provider.embedder is not None:
        assert (await provider.models.embed(provider.access, provider.embedder, [])).vectors == []


async def test_a_good_access_passes_the_check(provider: Provider) -> None:
    await provider.models.check(provider.access)


async def asked(provider: Provider, prompt: Prompt, *, stream: bool) -> Completion:
    if not stream:
        return await provider.models.complete(provider.access, prompt)
    deltas = await streamed(provider.models, provider.access, prompt)
    assert deltas[-1].completion is not None
    assert "".join(delta.text for delta in deltas) == deltas[-1].completion.text
    return deltas[-1].completion


def texts_of(value: Any) -> list[str]:
    """Every text in a request."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in texts_of(part)]
