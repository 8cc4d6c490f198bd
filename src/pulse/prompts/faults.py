"""What is wrong with a credential, a configuration or a legacy model: every fault, with its path in the body.

No fault repeats a secret.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pulse.core.errors import Fault
from pulse.egress.port import InvalidAddress
from pulse.egress.target import parse
from pulse.models.catalogue import Definition, Provider
from pulse.prompts.buckets import Limits
from pulse.prompts.records import (
    AUTH_TYPES,
    BEDROCK,
    SYSTEM,
    ConfigurationDraft,
    Credential,
    CredentialDraft,
    LegacyDraft,
    LegacyModel,
)
from pulse.prompts.secrets import Secrets

MAX_NAME = 200
MAX_DESCRIPTION = 2_000
MAX_SECRET = 65_536
MAX_HEADERS = 20
MAX_HEADER = 4_096
MAX_LIMIT = 10**12
MAX_TOKENS = 10**9
MIN_TIMEOUT_MS, MAX_TIMEOUT_MS = 1_000, 900_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# The names of models, and AWS's of inference profiles.
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,299}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# What the connection itself says.
_OWN_HEADERS = frozenset(("connection", "content-length", "content-type", "host", "te", "transfer-encoding", "upgrade"))


def credential_faults(draft: CredentialDraft, secrets: Secrets, organization_id: str) -> list[Fault]:
    """The faults of a credential that would have these secrets (what stays of the old ones included)."""
    return [
        *text_faults("name", draft.name, MAX_NAME),
        *text_faults("description", draft.description, MAX_DESCRIPTION, optional=True),
        *_address_faults(draft.base_url),
        *_region_faults(draft),
        *_limit_faults(draft.limits),
        *_secret_faults(secrets, _PATHS),
        *_auth_faults(draft.auth_type, secrets, organization_id),
    ]


def moved_faults(before: Credential, draft: CredentialDraft) -> list[Fault]:
    """A key goes to no other place than the one it was given for: to move it, one must know it."""
    same = (before.provider, before.base_url) == (draft.provider, draft.base_url)
    anything = before.has_api_key or before.has_service_account or before.has_access_keys or before.has_custom_headers
    if same or not anything or draft.secrets.are_given:
        return []
    path = "providerId" if before.provider != draft.provider else "baseUrl"
    return [Fault(path, "secret_needed", "Give the key once more: it is not sent to another place by itself.")]


def access_faults(draft: CredentialDraft, provider: Provider) -> Iterator[Fault]:
    """Whether the provider's wire format has this kind of access."""
    fitting = _FITTING.get(provider.api_format, AUTH_TYPES)
    if draft.auth_type in AUTH_TYPES and draft.auth_type not in fitting:
        words = f"{provider.name} is not reached that way: this is one of {', '.join(fitting)}."
        yield Fault("authType", "wrong_auth_type", words)
    elif draft.auth_type == "none" and provider.auth_type != "none" and draft.base_url is None:
        yield Fault("baseUrl", "missing", f"Only a server of your own, not {provider.name}, is reached without a key.")


_FITTING: Mapping[str, tuple[str, ...]] = {
    "openai": ("api_key", "custom_headers", "none"),
    "anthropic": ("api_key", "custom_headers", "none"),
    "google": ("api_key", "service_account", "custom_headers", "none"),
    "bedrock": ("iam",),
}


def configuration_faults(draft: ConfigurationDraft, definition: Definition) -> list[Fault]:
    """The faults of a configuration, but for those of what it refers to."""
    most = definition.max_output_tokens
    return [
        *text_faults("name", draft.name, MAX_NAME),
        *text_faults("description", draft.description, MAX_DESCRIPTION, optional=True),
        *_model_faults(draft.model_id),
        *_range_fault("defaultTemperature", draft.default_temperature, 0, 2),
        *_range_fault("defaultMaxTokens", draft.default_max_tokens, 1, most or MAX_TOKENS),
        *_range_fault("defaultTimeout", draft.default_timeout_ms, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS),
        *_range_fault("priority", draft.priority, -1_000_000, 1_000_000),
    ]


def _model_faults(model_id: str | None) -> Iterator[Fault]:
    if model_id is not None and not _MODEL.fullmatch(model_id):
        words = "This is the provider's name of a model: letters, digits and . _ : / @ -, at most 300."
        yield Fault("modelId", "invalid_model", words)


def legacy_faults(draft: LegacyDraft, secrets: Secrets, before: LegacyModel | None = None) -> list[Fault]:
    """The faults of a legacy model that would have these secrets, in the place of what it was `before`."""
    return [
        *text_faults("name", draft.name, MAX_NAME),
        *_model_url_faults(draft.url),
        *_secret_faults(secrets, _LEGACY_PATHS),
        *_kind_faults(draft.url, secrets),
        *_redirected_faults(draft, secrets, before),
    ]


_LEGACY_PATHS: Mapping[str, str] = {"api_key": "token", "access_key": "clientKey", "secret_key": "secretKey"}


def _model_url_faults(url: str) -> Iterator[Fault]:
    if url.startswith(BEDROCK):
        if not _MODEL.fullmatch(url.removeprefix(BEDROCK)):
            words = "This names no model of AWS Bedrock: write it as in bedrock://amazon.nova-pro-v1:0."
            yield Fault("modelUrl", "invalid_url", words)
        return
    try:
        parse(url)
    except InvalidAddress as error:
        words = f"{error.message} This is an address such as https://models.example.com/v1, or bedrock://<model-id>."
        yield Fault("modelUrl", "invalid_url", words)


def _kind_faults(url: str, secrets: Secrets) -> Iterator[Fault]:
    """A token, or a client's key and secret; Bedrock is asked with the installation's own rights."""
    keys = secrets.access_key or secrets.secret_key
    if url.startswith(BEDROCK):
        if keys:
            words = "Bedrock is asked with the installation's own rights. For keys of AWS make a model credential."
            yield Fault("clientKey", "not_allowed", words)
    elif keys and secrets.api_key:
        yield Fault("token", "both_kinds", "Give a token, or clientKey and secretKey, and not both.")
    elif not keys and not secrets.api_key:
        yield Fault("token", "missing", "A legacy model needs a token, or clientKey and secretKey.")
    elif keys:
        missing = [path for name, path in _LEGACY_PATHS.items() if name != "api_key" and not getattr(secrets, name)]
        yield from (Fault(path, "missing", "A client has both: clientKey and secretKey.") for path in missing)


def _redirected_faults(draft: LegacyDraft, secrets: Secrets, before: LegacyModel | None) -> Iterator[Fault]:
    """A stored secret goes to no other address than the one it was given for."""
    kept = any(value and not getattr(draft.secrets, name) for name, value in vars(secrets).items())
    if before is not None and before.url != draft.url and kept:
        words = "Give the token or the keys once more: they are not sent to another place by themselves."
        yield Fault("modelUrl", "secret_needed", words)


def text_faults(path: str, text: str | None, longest: int, *, optional: bool = False) -> Iterator[Fault]:
    """The faults of a text that people read."""
    if text is None:
        if not optional:
            yield Fault(path, "missing", "This is needed.")
    elif len(text) > longest or (not optional and not text.strip()):
        yield Fault(path, "invalid_length", f"This has 1 to {longest:,} characters.")
    elif not storable(text):
        yield Fault(path, "invalid_text", "This is Unicode text without NUL characters.")


def storable(text: str) -> bool:
    """Whether a database keeps the text as it is."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _address_faults(address: str | None) -> Iterator[Fault]:
    if address is None:
        return
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
        parts = urlsplit("")
    if not good or len(address) > 2_048 or not address.isascii() or not address.isprintable() or " " in address:
        yield Fault("baseUrl", "invalid_url", "This is an address such as https://models.example.com/v1.")
    elif parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        yield Fault("baseUrl", "invalid_url", "An address here has no user, no query and no fragment.")


def _region_faults(draft: CredentialDraft) -> Iterator[Fault]:
    if draft.aws_region is None:
        if draft.auth_type == "iam":
            yield Fault("awsRegion", "missing", "AWS needs a region, such as us-east-2.")
    elif not _REGION.fullmatch(draft.aws_region):
        yield Fault("awsRegion", "invalid_region", "This is an AWS region, such as us-east-2.")


def _limit_faults(limits: Limits) -> Iterator[Fault]:
    yield from _range_fault("requestsPerMinute", limits.requests_per_minute, 1, MAX_LIMIT)
    yield from _range_fault("tokensPerMinute", limits.tokens_per_minute, 1, MAX_LIMIT)
    yield from _range_fault("tokensPerDay", limits.tokens_per_day, 1, MAX_LIMIT)


def _range_fault(path: str, value: float | None, least: int, most: int) -> Iterator[Fault]:
    if value is not None and not least <= value <= most:
        yield Fault(path, "out_of_range", f"This is a number from {least:,} to {most:,}.")


def _secret_faults(secrets: Secrets, paths: Mapping[str, str]) -> Iterator[Fault]:
    for name, path in paths.items():
        value: str | None = getattr(secrets, name)
        if value is not None and not _is_secret(value, several_lines=name == "service_account"):
            yield Fault(path, "invalid_secret", f"This is text of at most {MAX_SECRET:,} characters on one line.")
    if secrets.service_account and not _is_service_account(secrets.service_account):
        words = "This is the JSON key file of a service account, with client_email and private_key."
        yield Fault("serviceAccountJson", "invalid_service_account", words)
    yield from _header_faults(secrets.headers or {})


_PATHS: Mapping[str, str] = {
    "api_key": "apiKey",
    "service_account": "serviceAccountJson",
    "access_key": "accessKeyId",
    "secret_key": "secretAccessKey",
    "session_token": "sessionToken",
}


def _is_secret(value: str, *, several_lines: bool) -> bool:
    if len(value) > MAX_SECRET or not storable(value):
        return False
    return several_lines or (value.isascii() and value.isprintable() and value == value.strip())


def _is_service_account(text: str) -> bool:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    wanted = ("client_email", "private_key")
    return isinstance(found, dict) and all(isinstance(found.get(name), str) and found[name] for name in wanted)


def _header_faults(headers: Mapping[str, str]) -> Iterator[Fault]:
    if len(headers) > MAX_HEADERS:
        yield Fault("customHeaders", "too_many", f"At most {MAX_HEADERS} headers.")
    for place, (name, value) in enumerate(headers.items()):
        if not _TOKEN.fullmatch(name) or name.lower() in _OWN_HEADERS:
            words = "This cannot be the name of a header here: use letters, digits and hyphens, as in x-team."
            yield Fault(f"customHeaders.{place}", "invalid_header", words)
        elif len(value) > MAX_HEADER or not value.isascii() or not value.isprintable():
            words = f"The value of a header is ASCII text of at most {MAX_HEADER:,} characters on one line."
            yield Fault(f"customHeaders.{name}", "invalid_header", words)


def _auth_faults(auth_type: str, secrets: Secrets, organization_id: str) -> Iterator[Fault]:
    """What a kind of access needs. Only the installation's own may go without AWS keys, by the machine's role."""
    if auth_type not in AUTH_TYPES:
        yield Fault("authType", "unknown_auth_type", f"This is one of: {', '.join(AUTH_TYPES)}.")
    if auth_type == "api_key" and not secrets.api_key:
        yield Fault("apiKey", "missing", "This kind of access needs a key.")
    if auth_type == "service_account" and not secrets.service_account:
        yield Fault("serviceAccountJson", "missing", "This kind of access needs the JSON key of a service account.")
    if auth_type == "custom_headers" and not secrets.headers:
        yield Fault("customHeaders", "missing", "This kind of access needs at least one header.")
    if auth_type == "iam":
        yield from _iam_faults(secrets, organization_id)


def _iam_faults(secrets: Secrets, organization_id: str) -> Iterator[Fault]:
    neither = not secrets.access_key and not secrets.secret_key
    if neither and organization_id == SYSTEM:
        return
    if not secrets.access_key:
        yield Fault("accessKeyId", "missing", "AWS needs an access key and its secret.")
    if not secrets.secret_key:
        yield Fault("secretAccessKey", "missing", "AWS needs an access key and its secret.")
