"""Requests to other people's servers, by the rules of `egress/`: `httpRequest`, and what other functions need of it."""

import codecs
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pulse.effects.calls import Call, Effect, EffectFailed, Told
from pulse.egress.port import Egress, EgressError, InvalidAddress, Reply, Request
from pulse.egress.target import parse

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
# These change nothing: a repeat needs no key (RFC 9110, 9.2.1).
SAFE = ("GET", "HEAD", "OPTIONS")
MAX_TIMEOUT_MS = 300_000
MAX_ANSWER = 1024 * 1024
KEY = "idempotency-key"
# A header with one of these in its name goes to no other server than the one that was asked.
SECRET_NAMES = ("auth", "cookie", "key", "token", "secret", "password", "signature")
# What texts are written in that are not UTF-8 (`;charset=` of the content type).
CHARSETS = ("ascii", "iso8859-", "cp125", "utf-16", "shift_jis", "euc_", "gb", "big5", "koi8-")
ERRORS = {
    "invalid_arguments": "an option is missing, unknown, or not as it must be",
    "invalid_address": "the address is not one of http or https",
    "address_refused": "the address is private, or otherwise closed (EGRESS_ALLOW opens some)",
    "unreachable": "no connection, or it broke off; retryable",
    "timeout": "no answer within timeoutMs; retryable",
    "answer_too_large": "the answer is larger than 1 MiB",
    "too_many_redirects": "more than 3 redirects",
    "egress_failed": "a header that cannot be sent, or a server whose TLS or compression cannot be read",
}


class Options(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """platform.md 6.1, and `timeoutMs`."""

    url: str | None = None
    domain: str | None = None
    path: str | None = None
    method: str = "GET"
    follow_redirects: bool = True
    api_key: str | None = None
    api_key_header: str = "x-api-key"
    headers: dict[str, str | int | float | bool] = {}
    body: Any = msgspec.UNSET
    timeout_ms: int = 30_000


class Arguments(msgspec.Struct, array_like=True, frozen=True):
    options: Options


class Web:
    """Requests to other people's servers."""

    def __init__(self, egress: Egress | None) -> None:
        self._egress = egress

    def effects(self) -> list[Effect[Any]]:
        return [
            Effect(
                "httpRequest",
                "await httpRequest({url, method?, headers?, body?, timeoutMs?, followRedirects?, apiKey?, "
                "apiKeyHeader?})",
                "Sends a request and answers with whatever the server says, an error status included. An object "
                "as body "
                "is sent as JSON. Every method but GET, HEAD and OPTIONS carries an Idempotency-Key that stays "
                "the same "
                "when the request must be repeated. `domain` and `path` may stand in the place of `url`.",
                Arguments,
                self.request,
                answers="{status, data, headers, elapsedMs}: data is the parsed JSON, or text",
                secrets=("0.apiKey", "0.headers"),
                errors=ERRORS,
            )
        ]

    async def request(self, call: Call, given: Arguments) -> Told:
        options = given.options
        request = _request(options, call.key)
        reply = await self.send(request)
        told = {**entry(request, reply.status, reply.elapsed_ms), "success": reply.status < 400}
        headers = _joined(reply.headers)
        answer = {"status": reply.status, "data": data_of(reply), "headers": headers, "elapsedMs": reply.elapsed_ms}
        return Told(answer, told)

    async def send(self, request: Request) -> Reply:
        """The reply. Raises EffectFailed with a code of ERRORS."""
        if self._egress is None:
            raise EffectFailed("not_available", "There is no way out to other servers here.")
        try:
            return await self._egress.send(request)
        except EgressError as error:
            told = {**entry(request, None, None), "success": False, "code": error.code}
            raise EffectFailed(error.code, error.message, retryable=error.retryable, log=told) from None

    async def json(
        self, method: str, url: str, *, headers: Mapping[str, str], body: Any = None, key: str | None = None
    ) -> tuple[Reply, Any]:
        """Sends JSON, and reads JSON: for functions that speak to a service they know."""
        given = {"accept": "application/json", **headers}
        content = b""
        if body is not None:
            content, given["content-type"] = msgspec.json.encode(body), "application/json"
        if key is not None:
            given[KEY] = key
        request = Request(
            method, url, tuple(given.items()), content, max_bytes=MAX_ANSWER, credentials=frozenset(headers)
        )
        reply = await self.send(request)
        return reply, data_of(reply)


def entry(request: Request, status: int | None, elapsed_ms: int | None) -> dict[str, Any]:
    """The call in the execution log: the address without its query, which may hold a secret.

    What is no address is left out: whatever stands there may be one, too.
    """
    told: dict[str, Any] = {"type": "api", "service": "http", "method": request.method}
    with contextlib.suppress(InvalidAddress):
        told["url"] = parse(request.url).url.partition("?")[0]
    if status is not None:
        told |= {"status": status, "durationMs": elapsed_ms}
    return told


def data_of(reply: Reply) -> Any:
    """The body: as JSON where it is JSON, otherwise as text; None where there is none."""
    if not reply.body:
        return None
    body = reply.body.removeprefix(codecs.BOM_UTF8)
    kind, _, parameters = (reply.header("content-type") or "").lower().partition(";")
    kind = kind.strip()
    if kind in ("", "application/json", "text/json") or kind.endswith("+json"):
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return body.decode(_charset(parameters), errors="replace")


def _charset(parameters: str) -> str:
    """The character encoding that a content type names, where it is a usual one; otherwise UTF-8."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            with contextlib.suppress(LookupError, ValueError):
                found = codecs.lookup(value.strip(" \t\"'")).name
                return found if found.startswith(CHARSETS) else "utf-8"
    return "utf-8"


def _request(options: Options, key: str) -> Request:
    method = options.method.upper()
    if method not in METHODS:
        raise EffectFailed("invalid_arguments", f"options.method: {options.method!r} is none of {', '.join(METHODS)}.")
    if not 1 <= options.timeout_ms <= MAX_TIMEOUT_MS:
        raise EffectFailed("invalid_arguments", f"options.timeoutMs: 1 to {MAX_TIMEOUT_MS} milliseconds.")
    headers = {name.lower(): _text(value) for name, value in options.headers.items()}
    content = _content(options.body, headers)
    if options.api_key is not None:
        headers.setdefault(options.api_key_header.lower(), options.api_key)
    if method not in SAFE:
        headers.setdefault(KEY, key)
    secret = {options.api_key_header.lower()} | {name for name in headers if any(map(name.__contains__, SECRET_NAMES))}
    return Request(
        method=method,
        url=_address(options),
        headers=tuple(headers.items()),
        body=content,
        timeout_ms=options.timeout_ms,
        max_bytes=MAX_ANSWER,
        follow_redirects=options.follow_redirects,
        credentials=frozenset(secret - {KEY}),
    )


def _address(options: Options) -> str:
    if options.url is not None:
        return options.url
    if options.domain is None:
        raise EffectFailed("invalid_arguments", "options.url: say where to, as {url} or as {domain, path}.")
    domain = options.domain if "://" in options.domain else f"https://{options.domain}"
    return f"{domain.rstrip('/')}/{(options.path or '').lstrip('/')}"


def _content(body: Any, headers: dict[str, str]) -> bytes:
    if body is msgspec.UNSET or body is None:
        return b""
    if isinstance(body, str):
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return body.encode()
    headers.setdefault("content-type", "application/json")
    return msgspec.json.encode(body)


def _text(value: str | float | bool) -> str:  # noqa: FBT001 - a header's value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """One value a name, as `fetch` gives them."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
