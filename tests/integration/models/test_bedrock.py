"""Bedrock: exactly what is sent and signed, what answers mean, and whose keys are used."""

from dataclasses import replace
from pathlib import Path

import pytest

from pulse.models.bedrock import BedrockModels
from pulse.models.port import Access, Image, ModelFailed
from tests.contract.conftest import SetClock
from tests.contract.models.peers import bedrock as wire
from tests.contract.models.peers.serving import Answer
from tests.contract.models.providers import Provider
from tests.integration.models.prompts import EVERYTHING, QUESTION, SCHEMA, peer, streamed


async def test_a_prompt_with_everything(bedrock: Provider) -> None:
    await bedrock.models.complete(bedrock.access, bedrock.prompt(**EVERYTHING))
    sent = peer(bedrock).received[-1]
    assert (sent.method, sent.path) == ("POST", "/model/amazon.nova-pro-v1%3A0/converse")
    picture = {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}}
    tool = {"name": "answer", "description": "Give the answer.", "inputSchema": {"json": SCHEMA}}
    assert sent.json == {
        "messages": [{"role": "user", "content": [picture, {"text": QUESTION}]}],
        "system": [{"text": "You know capitals."}],
        "inferenceConfig": {"maxTokens": 300, "temperature": 1.0},
        "toolConfig": {"tools": [{"toolSpec": tool}], "toolChoice": {"tool": {"name": "answer"}}},
    }


async def test_a_bare_prompt(bedrock: Provider) -> None:
    await bedrock.models.complete(bedrock.access, bedrock.prompt())
    assert peer(bedrock).last == {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]}


async def test_what_is_said_around_the_call_is_no_part_of_the_answer(bedrock: Provider) -> None:
    completion = await bedrock.models.complete(bedrock.access, bedrock.prompt(schema=SCHEMA))
    assert completion.text == '{"city": "Paris", "inhabitants": 2103000, "note": "Île-de-France"}'
    assert completion.stop == "end"


async def test_a_picture_has_to_be_fetched_first(bedrock: Provider) -> None:
    with pytest.raises(ModelFailed, match="bytes only") as caught:
        await bedrock.models.complete(bedrock.access, bedrock.prompt(images=[Image(url="https://example.com/a.png")]))
    assert caught.value.reason == "invalid_request"


async def test_a_picture_of_an_unknown_kind_is_refused(bedrock: Provider) -> None:
    images = [Image(data=b"BM", media_type="image/bmp")]
    with pytest.raises(ModelFailed) as caught:
        await bedrock.models.complete(bedrock.access, bedrock.prompt(images=images))
    assert caught.value.reason == "invalid_request"


async def test_an_answer_that_the_model_broke_is_a_bad_answer(bedrock: Provider) -> None:
    peer(bedrock).does.stop = "malformed_model_output"
    for ask in (bedrock.models.complete(bedrock.access, bedrock.prompt()), streamed(bedrock)):
        with pytest.raises(ModelFailed) as caught:
            await ask
        assert caught.value.reason == "bad_answer"


async def test_a_frame_whose_checksum_is_wrong_is_a_bad_answer(bedrock: Provider) -> None:
    frame = bytearray(wire.frame("messageStart", {"role": "assistant"}))
    frame[-1] ^= 1
    peer(bedrock).does.raw = Answer(bytes(frame), headers={"content-type": "application/vnd.amazon.eventstream"})
    with pytest.raises(ModelFailed) as caught:
        await streamed(bedrock)
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    ("model", "requests"),
    [("amazon.titan-embed-text-v2:0", 3), ("cohere.embed-multilingual-v3", 1), ("us.cohere.embed-v4:0", 1)],
)
async def test_vectors_of_either_kind(bedrock: Provider, model: str, requests: int) -> None:
    found = await bedrock.models.embed(bedrock.access, model, ["one", "three", "seventeen"])
    assert [vector[0] for vector in found.vectors] == [3.0, 5.0, 9.0]
    assert found.usage.input_tokens == 9
    assert len(peer(bedrock).received) == requests


async def test_many_texts_for_cohere_are_sent_in_portions(bedrock: Provider) -> None:
    found = await bedrock.models.embed(bedrock.access, "cohere.embed-v4:0", ["text"] * 100)
    assert len(found.vectors) == 100
    assert [len(one.json["texts"]) for one in peer(bedrock).received] == [96, 4]


async def test_a_session_token_is_sent(bedrock: Provider) -> None:
    await bedrock.models.check(replace(bedrock.access, session_token="a-session-of-an-hour"))
    sent = peer(bedrock).received[-1]
    assert sent.headers["x-amz-security-token"] == "a-session-of-an-hour"
    assert "x-amz-security-token" in sent.headers["authorization"]


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://169.254.169.254/latest"},
        {"region": "example.com/"},
        {"region": "us-east-2.evil.com#"},
        {"region": "US-EAST-2"},
    ],
    ids=["a-base-url", "a-host", "a-longer-host", "capitals"],
)
async def test_a_credential_has_no_say_in_the_address(bedrock: Provider, changes: dict[str, str]) -> None:
    with pytest.raises(ModelFailed, match="reached by its region") as caught:
        await bedrock.models.check(replace(bedrock.access, **changes))  # type: ignore[arg-type]
    assert caught.value.reason == "invalid_request"
    assert peer(bedrock).received == []


# ---- whose keys --------------------------------------------------------------------------------------------------


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with credentials of the operator's own, and a profile that does not exist."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOPERATOR01234567")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "operator/secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    "access",
    [Access(region="us-east-2"), Access(access_key=wire.ACCESS_KEY, region="us-east-2"), Access(secret_key="x" * 20)],
    ids=["no-keys", "no-secret", "no-access-key"],
)
async def test_the_machines_credentials_are_not_for_tenants(
    surroundings: None, bedrock: Provider, access: Access
) -> None:
    with pytest.raises(ModelFailed, match="needs an access key and its secret key") as caught:
        await bedrock.models.check(access)
    assert caught.value.reason == "unauthorized"
    assert peer(bedrock).received == []


async def test_the_operator_may_allow_them(surroundings: None, bedrock: Provider) -> None:
    models = BedrockModels(SetClock(), ambient=True, control_endpoint_url=peer(bedrock).url)
    with pytest.raises(ModelFailed) as caught:
        await models.check(Access(region="us-east-2"))
    assert caught.value.reason == "unauthorized"  # the peer knows only the tenant
    assert "Credential=AKIAOPERATOR01234567/" in peer(bedrock).received[-1].headers["authorization"]
    with pytest.raises(ModelFailed, match="needs an access key and its secret key"):
        await models.check(Access(access_key=wire.ACCESS_KEY, region="us-east-2"))


async def test_a_credential_with_keys_uses_nothing_of_the_machine(
    surroundings: None, monkeypatch: pytest.MonkeyPatch, bedrock: Provider
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "operators-token")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "operators-session")
    await bedrock.models.check(bedrock.access)
    sent = peer(bedrock).received[-1]
    assert f"Credential={wire.ACCESS_KEY}/" in sent.headers["authorization"]
    assert "x-amz-security-token" not in sent.headers
