"""`promptCallToken` and `promptCallKeys`: an address that brings its own secret, and whatever shape it answers in."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pulse.effects.world.legacy import FAILURES
from pulse.models.mock import MockModels
from tests.integration.effects.functions.bench import CANARY, Bench, hides
from tests.integration.effects.functions.conftest import WaysOut
from tests.integration.effects.functions.peers import Answer, Peer, running
from tests.integration.egress.servers import Heard

TEXT = "A short answer."
SHAPES = {
    "Chat Completions": {"choices": [{"message": {"role": "assistant", "content": TEXT}}], "usage": {}},
    "Messages": {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"},
    "Nova": {"output": {"message": {"content": [{"text": TEXT}]}}},
    "Gemini": {"candidates": [{"content": {"parts": [{"text": TEXT}]}}]},
    "Titan": {"results": [{"outputText": TEXT, "tokenCount": 3}]},
    "output": {"output": TEXT},
    "response": {"response": TEXT},
    "text": {"text": TEXT},
    "a text": TEXT,
}


@dataclass
class Model(Peer):
    """Takes prompts with the right credentials only."""

    says: Any = field(default_factory=lambda: {"text": TEXT})
    authorization: str | None = f"Bearer {CANARY}"

    def answer(self, heard: Heard) -> Answer:
        if heard.header("authorization") != self.authorization:
            return 401, {"error": f"Who is {heard.header('authorization')}?"}
        if heard.method != "POST" or heard.header("content-type") != "application/json":
            return 400, {"error": "POST JSON"}
        asked = json.loads(heard.body)
        if asked != {"prompt": "Hi", "messages": [{"role": "user", "content": "Hi"}]}:
            return 400, {"error": "Not what was expected"}
        return 200, self.says


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    async with running(Model()) as peer:
        yield peer


@pytest.fixture
def scripts(bench: Bench, model: Model, ways_out: WaysOut) -> Bench:
    return bench.reaching(egress=ways_out(model.place), bedrock=MockModels())


def by_token(url: str, token: Any = CANARY) -> str:
    return f"await promptCallToken({json.dumps(token)}, 'Hi', {json.dumps(url)})"


def by_keys(url: str, secret: str = CANARY) -> str:
    return f"await promptCallKeys('client', {json.dumps(secret)}, 'Hi', {json.dumps(url)})"


BASIC = f"Basic {base64.b64encode(f'client:{CANARY}'.encode()).decode()}"
WAYS = [(by_token, f"Bearer {CANARY}"), (by_keys, BASIC)]
both_ways = pytest.mark.parametrize(("way", "authorization"), WAYS, ids=["token", "keys"])


@both_ways
@pytest.mark.parametrize("shape", SHAPES)
async def test_every_known_shape_is_a_text(
    scripts: Bench, model: Model, way: Any, authorization: str, shape: str
) -> None:
    model.says, model.authorization = SHAPES[shape], authorization
    ran = await scripts.tried(way(f"{model.url}/generate"))
    assert (ran.result, ran.globals["promptResponse_1"]) == (TEXT, TEXT)
    assert model.heard[0].path == "/generate"
    entry = dict(ran.entry)
    assert entry.pop("durationMs") >= 0
    assert entry == {"type": "api", "service": "llm", "status": 200, "success": True}
    hides(ran, CANARY, authorization.removeprefix("Basic "))


@pytest.mark.parametrize(
    "says",
    [{"answer": TEXT}, {"choices": []}, {"content": []}, {"output": {"n": 1}}, [1, 2], {"text": 5}, None, {}],
)
async def test_any_other_is_left_as_it_is(scripts: Bench, model: Model, says: Any) -> None:
    model.says = says
    ran = await scripts.run(f"___result___ = [{by_token(model.url)}]")
    assert ran.result == [says]


async def test_what_is_no_json_is_a_text(scripts: Bench, model: Model) -> None:
    model.says = b"Plain words."
    assert (await scripts.tried(by_token(model.url))).result == "Plain words."


@pytest.mark.parametrize("token", ["", None])
async def test_without_a_token_none_is_sent(scripts: Bench, model: Model, token: str | None) -> None:
    model.authorization = None
    assert (await scripts.tried(by_token(model.url, token))).result == TEXT


@both_ways
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_failures(scripts: Bench, model: Model, way: Any, authorization: str, status: int) -> None:
    model.instead = (status, {"error": f"You said {authorization}"})
    ran = await scripts.tried(way(model.url))
    code = FAILURES.get(status, "provider_error" if status >= 500 else "invalid_request")
    assert (ran.failure.code, ran.failure.retryable) == (code, status in (429, 500, 503))
    assert ran.failure.message == f"The model's server answered {status}."
    assert (ran.entry["success"], ran.entry["code"], ran.entry["status"]) == (False, code, status)
    assert "promptResponse_1" not in ran.globals
    hides(ran, CANARY, authorization.removeprefix("Basic "))


@both_ways
async def test_a_secret_that_the_server_does_not_take(
    scripts: Bench, model: Model, way: Any, authorization: str
) -> None:
    model.authorization = "another"
    ran = await scripts.tried(way(model.url))
    assert (ran.failure.code, model.heard[0].header("authorization")) == ("unauthorized", authorization)
    hides(ran, CANARY, authorization.removeprefix("Basic "))


@both_ways
async def test_a_call_that_was_cut_off_has_the_same_key(
    scripts: Bench, model: Model, way: Any, authorization: str
) -> None:
    model.authorization = authorization
    first = await scripts.tried(way(model.url))
    await scripts.tried(way(model.url), like=first, past=first.cut_off())
    assert [heard.header("idempotency-key") for heard in model.heard] == [f"{first.message_id}:wf_1:1"] * 2


@both_ways
async def test_a_secret_of_a_variable_is_kept_nowhere(
    scripts: Bench, model: Model, way: Any, authorization: str
) -> None:
    model.authorization, model.says = authorization, {"text": f"Your token is {CANARY}"}
    call = way(model.url).replace(f'"{CANARY}"', "KEY")
    ran = await scripts.tried(call, variables={"KEY": CANARY})
    assert ran.result == "Your token is ***"
    hides(ran)


async def test_bedrock_is_asked_with_the_installations_own_rights(scripts: Bench, model: Model) -> None:
    ran = await scripts.tried("await promptCallToken('passed over', 'Hi', 'bedrock://mock-small')")
    assert ran.result.startswith("You asked: “Hi”.")
    assert ran.globals["promptResponse_1"] == ran.result
    entry = {name: ran.entry[name] for name in ("service", "provider", "model", "success")}
    assert entry == {"service": "llm", "provider": "bedrock", "model": "mock-small", "success": True}
    assert (ran.entry["inputTokens"], ran.entry["outputTokens"] > 0) == (1, True)
    assert model.heard == []
    assert "passed over" not in ran.kept


@pytest.mark.parametrize(("name", "code"), [("mock-fail-quota_exceeded", "quota_exceeded"), ("x", "model_not_found")])
async def test_bedrock_may_fail(scripts: Bench, name: str, code: str) -> None:
    ran = await scripts.tried(f"await promptCallToken(null, 'Hi', 'bedrock://{name}')")
    assert (ran.failure.code, ran.entry["success"], ran.entry["code"]) == (code, False, code)


async def test_there_may_be_no_bedrock(bench: Bench) -> None:
    assert (await bench.tried(by_token("bedrock://amazon.nova-pro-v1:0"))).failure.code == "not_configured"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("promptCallToken('t', 'Hi')", "Call it as await promptCallToken(token, promptText, modelUrl)."),
        ("promptCallToken(5, 'Hi', 'https://x.example')", "token: Expected `str | null`, got `int`."),
        ("promptCallKeys('k', 's', 'Hi', 5)", "url: Expected `str`, got `int`."),
        ("promptCallKeys('k', null, 'Hi', 'https://x.example')", "secret: Expected `str`, got `null`."),
    ],
)
async def test_faults_of_arguments(scripts: Bench, model: Model, call: str, words: str) -> None:
    failure = (await scripts.tried(f"await {call}")).failure
    assert (failure.code, words in failure.message) == ("invalid_arguments", True), failure
    assert model.heard == []


@pytest.mark.parametrize("call", [by_token("not an address"), by_keys("ftp://x.example/")])
async def test_what_is_no_address(scripts: Bench, call: str) -> None:
    ran = await scripts.tried(call)
    assert ran.failure.code == "invalid_address"
    hides(ran)


async def test_a_token_that_cannot_be_sent(scripts: Bench, model: Model) -> None:
    ran = await scripts.tried(by_token(model.url, f"{CANARY}\r\nX-Evil: 1"))
    assert (ran.failure.code, model.heard) == ("egress_failed", [])
    hides(ran)


@both_ways
async def test_without_the_exception_it_is_out_of_bounds(
    bench: Bench, model: Model, ways_out: WaysOut, way: Any, authorization: str
) -> None:
    ran = await bench.reaching(egress=ways_out()).tried(way(model.url))
    assert (ran.failure.code, model.server.connections) == ("address_refused", 0)
    hides(ran, CANARY, authorization.removeprefix("Basic "))
