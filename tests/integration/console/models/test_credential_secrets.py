"""What is secret about a credential is in no answer, no error, no log and no file; and what a validation tells."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.console.documents import create
from tests.integration.console.models.documents import CANARY, CREDENTIALS, ask, credential, faults, mock, openai
from tests.integration.receiver.installation import Installation, Tenant

KEY = "canary-private-key"
ACCOUNT = json.dumps({"client_email": "pulse@acme.iam.gserviceaccount.com", "private_key": KEY})
BODIES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    (openai(), (CANARY,)),
    (openai(customHeaders={"x-team": "canary-header"}), (CANARY, "canary-header")),
    ({"name": "Google", "providerId": "google", "authType": "service_account", "serviceAccountJson": ACCOUNT}, (KEY,)),
    (
        {
            "name": "AWS",
            "providerId": "bedrock",
            "awsRegion": "us-east-2",
            "accessKeyId": "CANARYACCESSKEY",
            "secretAccessKey": "canary/secret/key",
            "sessionToken": "canary-session-token",
        },
        ("CANARYACCESSKEY", "canary/secret/key", "canary-session-token"),
    ),
]


def on_disk(folder: Path) -> bytes:
    """Every byte of the data folder."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(("body", "secrets"), BODIES, ids=["key", "headers", "service account", "AWS"])
async def test_a_secret_is_in_no_answer_and_no_file(
    alone: Installation, capfd: pytest.CaptureFixture[str], body: dict[str, Any], secrets: tuple[str, ...]
) -> None:
    acme = await alone.tenant()
    made = await create(alone, acme, CREDENTIALS, body)
    path = f"{CREDENTIALS}/{made['id']}"
    configured = {"name": "C", "modelDefinitionId": "openai/gpt-4o", "credentialId": made["id"]}
    answers = [
        await ask(alone, acme, "GET", path),
        await ask(alone, acme, "GET", CREDENTIALS),
        await ask(alone, acme, "PUT", path, {**body, "description": "again"}),
        await ask(alone, acme, "PUT", path, body, '"1"'),
        await ask(alone, acme, "POST", CREDENTIALS, body),
        await ask(alone, acme, "PUT", path, {**body, "baseUrl": "http://127.0.0.1:1/v1"}),
        await ask(alone, acme, "POST", f"{path}/validate"),
        await ask(alone, acme, "POST", "/api/model-configurations", configured),
        await ask(alone, acme, "GET", "/api/model-configurations"),
        await ask(alone, acme, "GET", "/metrics"),
    ]
    told = json.dumps(made) + "".join(answer.text for answer in answers) + "".join(capfd.readouterr())
    written = on_disk(alone.data.settings.data)
    assert made["id"].encode() in written
    for secret in secrets:
        assert secret not in told
        assert secret.encode() not in written


@pytest.mark.parametrize("field", ["apiKey", "serviceAccountJson", "accessKeyId", "secretAccessKey", "sessionToken"])
async def test_no_fault_repeats_a_secret(pulse: Installation, acme: Tenant, field: str) -> None:
    for value in (f"{CANARY}\n{CANARY}", [CANARY], {"a": CANARY}, CANARY * 10_000, f"{CANARY}é"):
        answer = await ask(pulse, acme, "POST", CREDENTIALS, openai(**{field: value}))
        assert field in [path for path, _ in faults(answer)]
        assert CANARY not in answer.text
        assert len(answer.text) < 2_000


@pytest.mark.parametrize("headers", [{"x-a": [CANARY]}, {"x-a": f"{CANARY}\n"}, {CANARY * 10: "x"}, [CANARY], CANARY])
async def test_no_fault_repeats_a_header(pulse: Installation, acme: Tenant, headers: Any) -> None:
    answer = await ask(pulse, acme, "POST", CREDENTIALS, openai(customHeaders=headers))
    assert faults(answer)
    assert CANARY not in answer.text


async def test_a_key_goes_to_no_other_place_by_itself(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, CREDENTIALS, openai())
    path = f"{CREDENTIALS}/{made['id']}"
    elsewhere = {"name": "OpenAI", "providerId": "openai", "baseUrl": "https://models.evil.example/v1"}
    assert faults(await ask(pulse, acme, "PUT", path, elsewhere)) == [("baseUrl", "secret_needed")]
    other = {"name": "OpenAI", "providerId": "anthropic"}
    assert faults(await ask(pulse, acme, "PUT", path, other)) == [("providerId", "secret_needed")]
    assert (await ask(pulse, acme, "PUT", path, {**elsewhere, "apiKey": "sk-new"})).status_code == 200


async def test_an_empty_secret_removes_it(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, CREDENTIALS, openai(customHeaders={"x-team": "a"}))
    path, kept = f"{CREDENTIALS}/{made['id']}", {"name": "OpenAI", "providerId": "openai"}
    given: list[dict[str, Any]] = [{}, {"customHeaders": None}, {"customHeaders": {}}]
    flags = [(await ask(pulse, acme, "PUT", path, {**kept, **more})).json()["hasCustomHeaders"] for more in given]
    assert flags == [True, True, False]
    assert faults(await ask(pulse, acme, "PUT", path, {**kept, "apiKey": ""})) == [("apiKey", "missing")]


async def test_a_validation_is_kept(pulse: Installation, acme: Tenant) -> None:
    made = await credential(pulse, acme)
    path = f"{CREDENTIALS}/{made['id']}"
    answer = (await ask(pulse, acme, "POST", f"{path}/validate")).json()
    assert (answer.pop("valid"), answer["validationError"]) == (True, None)
    assert answer["lastValidated"] >= made["createdAt"]
    assert (await ask(pulse, acme, "GET", path)).json() == answer


async def test_a_failed_validation_is_kept_and_forgotten_with_a_new_secret(pulse: Installation, acme: Tenant) -> None:
    failing = mock(authType="custom_headers", customHeaders={"x-mock-fail": "unauthorized"})
    made = await create(pulse, acme, CREDENTIALS, failing)
    path = f"{CREDENTIALS}/{made['id']}"
    answer = await ask(pulse, acme, "POST", f"{path}/validate")
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    reason = (await ask(pulse, acme, "GET", path)).json()["validationError"]
    assert reason == answer.json()["validationError"]
    assert reason
    good = mock(authType="custom_headers", customHeaders={"x-mock-wait-ms": "0"})
    changed = (await ask(pulse, acme, "PUT", path, good)).json()
    assert (changed["lastValidated"], changed["validationError"]) == (None, None)
    assert (await ask(pulse, acme, "POST", f"{path}/validate")).json()["valid"] is True


async def test_a_private_address_is_no_server_to_ask(pulse: Installation, acme: Tenant) -> None:
    made = await create(pulse, acme, CREDENTIALS, openai(baseUrl="http://127.0.0.1:9/v1"))
    answer = (await ask(pulse, acme, "POST", f"{CREDENTIALS}/{made['id']}/validate")).json()
    assert answer["valid"] is False
    assert "may not be reached" in answer["validationError"]


async def test_what_is_switched_off_is_not_tried(pulse: Installation, acme: Tenant) -> None:
    made = await credential(pulse, acme, isActive=False)
    answer = await ask(pulse, acme, "POST", f"{CREDENTIALS}/{made['id']}/validate")
    assert (answer.status_code, answer.json()["code"]) == (409, "credential_inactive")


async def test_a_format_that_is_not_set_up_is_not_available(
    alone: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await alone.tenant()
    made = await credential(alone, acme)
    formats = dict(alone.parts.models.checks._formats)
    del formats["mock"]
    monkeypatch.setattr(alone.parts.models.checks, "_formats", formats)
    answer = await ask(alone, acme, "POST", f"{CREDENTIALS}/{made['id']}/validate")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "not set up" in answer.json()["detail"]


async def test_a_failure_of_ours_tells_nothing(
    alone: Installation, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    acme = await alone.tenant()

    async def fails(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(alone.parts.models.credentials._keys, "seal", fails)
    answer = await ask(alone, acme, "POST", CREDENTIALS, openai())
    assert answer.status_code == 500
    assert CANARY not in answer.text + "".join(capfd.readouterr())
