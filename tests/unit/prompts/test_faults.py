"""What is wrong with credentials and runs that people send, beyond what the stores' own tests show."""

from typing import Any

import pytest

from pulse.prompts.faults import MAX_HEADERS, credential_faults
from pulse.prompts.records import SYSTEM, CredentialDraft
from pulse.prompts.secrets import Secrets
from pulse.prompts.templates.runs.faults import MAX_CELLS, MAX_VARIANTS, run_faults
from pulse.prompts.templates.runs.records import Row, RunDraft, Variant

ORG = "org_1"
KEY = Secrets(api_key="sk-x")


def faults(secrets: Secrets = KEY, organization_id: str = ORG, **more: Any) -> list[tuple[str, str]]:
    draft = CredentialDraft(**{"name": "Key", "provider": "openai", **more})
    return [(fault.path, fault.code) for fault in credential_faults(draft, secrets, organization_id)]


@pytest.mark.parametrize(
    "address",
    [
        "https://models.example.com/v1",
        "http://127.0.0.1:11434",
        "http://[::1]:8080/v1",
        "https://xn--bcher-kva.example",
    ],
)
def test_addresses_that_can_be(address: str) -> None:
    assert faults(base_url=address) == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "models.example.com",
        "ftp://x.example",
        "https://",
        "https://a b.example",
        "https://bücher.example",
        "https://x.example/\n",
        "https://x.example:99999",
        "https://[::1",
        "https://x.example/" + "a" * 2_048,
        "https://user:secret@x.example",
        "https://x.example?key=1",
        "https://x.example#top",
    ],
)
def test_addresses_that_cannot_be(address: str) -> None:
    assert faults(base_url=address) == [("baseUrl", "invalid_url")]


@pytest.mark.parametrize("key", [" sk", "sk\n", "sk\0", "s\ud800", "ключ", "x" * 65_537])
def test_keys_that_cannot_be(key: str) -> None:
    assert faults(Secrets(api_key=key)) == [("apiKey", "invalid_secret")]


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"client_email": "a"}', '{"client_email": 1, "private_key": 2}'])
def test_service_accounts_that_cannot_be(text: str) -> None:
    found = faults(Secrets(service_account=text), auth_type="service_account", provider="google")
    assert found == [("serviceAccountJson", "invalid_service_account")]


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "x"), ("a b", "x"), ("", "x"), ("content-length", "5"), ("x-a", "b\r\nc"), ("é", "x")]
)
def test_headers_that_cannot_be(name: str, value: str) -> None:
    ((path, code),) = faults(Secrets(headers={name: value}), auth_type="custom_headers")
    assert (path.startswith("customHeaders."), code) == (True, "invalid_header")


def test_headers_are_not_too_many() -> None:
    headers = {f"x-{number}": "v" for number in range(MAX_HEADERS + 1)}
    assert faults(Secrets(headers=headers), auth_type="custom_headers") == [("customHeaders", "too_many")]


@pytest.mark.parametrize("region", ["us-east-2", "eu-central-1", "us-gov-west-1", "ap-southeast-5"])
def test_regions(region: str) -> None:
    keys = Secrets(access_key="AKIA", secret_key="s")
    assert faults(keys, auth_type="iam", aws_region=region) == []
    assert faults(keys, auth_type="iam", aws_region=f"{region}.evil.example") == [("awsRegion", "invalid_region")]


def test_half_a_pair_of_keys_is_none() -> None:
    half = Secrets(access_key="AKIA")
    for organization_id in (ORG, SYSTEM):
        assert faults(half, organization_id, auth_type="iam", aws_region="us-east-2") == [
            ("secretAccessKey", "missing")
        ]


VARIANT = Variant("mcf_1")


@pytest.mark.parametrize(
    ("draft", "paths"),
    [
        (RunDraft([VARIANT]), []),
        (RunDraft([]), ["variants"]),
        (RunDraft([VARIANT] * (MAX_VARIANTS + 1)), ["variants"]),
        (RunDraft([VARIANT], rows=[Row("a")] * (MAX_CELLS + 1)), ["rows"]),
        (RunDraft([VARIANT], set_ids=["vst_1", "vst_1"]), ["setIds"]),
        (RunDraft([Variant("m", temperature=3, max_tokens=0)]), ["variants.0.temperature", "variants.0.maxTokens"]),
        (RunDraft([VARIANT], rows=[Row("a"), Row("", {"x": "\0"})]), ["rows.1.name", "rows.1.values.x"]),
        (RunDraft([VARIANT], assertions=[{"type": "regex", "pattern": "("}]), ["assertions.0.pattern"]),
        (RunDraft([VARIANT], schema={"tipe": 1}), ["schema.tipe"]),
        (RunDraft([VARIANT], rows=[Row("a", images=["https://x.example/a.png", "data:image/png;base64,AAA="])]), []),
        (
            RunDraft([VARIANT], rows=[Row("a", images=["file:///etc/passwd", "x"])]),
            ["rows.0.images.0", "rows.0.images.1"],
        ),
        (RunDraft([VARIANT], rows=[Row("a", images=["https://x.example"] * 11)]), ["rows.0.images"]),
    ],
    ids=range(12),
)
def test_runs(draft: RunDraft, paths: list[str]) -> None:
    assert [fault.path for fault in run_faults(draft)] == paths
