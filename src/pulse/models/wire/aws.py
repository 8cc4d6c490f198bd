"""Clients of AWS's services.

They go through aiobotocore, which signs and speaks AWS's event streams, and not through `egress`: their address comes
from the region alone, or from the operator, and never from a credential.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import AioSession  # type: ignore[import-untyped]
from aiohttp import ClientError as HttpError
from botocore.eventstream import ParserError  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as NoConnection

from pulse.core.clock import Clock
from pulse.models.port import Access, ModelFailed
from pulse.models.wire.failures import Refusal, failed, reason_of, retry_after_s
from pulse.models.wire.hiding import secrets_of

T = TypeVar("T")

CONNECT_S = 10
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}")
# Neither the environment nor files of the machine have a say where a credential brings its own keys.
_NOTHING_AROUND = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Clients:
    """Clients for credentials, one a call. Whatever goes wrong with one is raised as ModelFailed."""

    def __init__(
        self, provider: str, clock: Clock, *, ambient: bool, region: str, endpoints: Mapping[str, str | None]
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._region = region
        self._endpoints = endpoints
        self._alone = AioSession(session_vars=_NOTHING_AROUND)
        self._around = AioSession() if ambient else None

    @asynccontextmanager
    async def open(self, service: str, access: Access) -> AsyncIterator[Any]:
        """A client of its own, which keeps credentials apart; it costs milliseconds and a connection."""
        region = access.region or self._region
        if access.base_url is not None or not _REGION.fullmatch(region):
            words = f"{self._provider} is reached by its region, such as us-east-2, and has no base URL."
            raise ModelFailed("invalid_request", f"{words} Correct the credential.")
        session, keys = self._session(access)
        place = {"region_name": region, "endpoint_url": self._endpoints[service]}
        with self._translated(access):
            async with session.create_client(service, config=_config(own=bool(keys)), **place, **keys) as client:
                yield client

    def _session(self, access: Access) -> tuple[AioSession, dict[str, str | None]]:
        if access.access_key and access.secret_key:
            keys = {"aws_access_key_id": access.access_key, "aws_secret_access_key": access.secret_key}
            return self._alone, {**keys, "aws_session_token": access.session_token}
        if self._around is None or access.access_key or access.secret_key:
            words = f"{self._provider} needs an access key and its secret key: complete the credential."
            raise ModelFailed("unauthorized", words)
        return self._around, {}

    @contextmanager
    def _translated(self, access: Access) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise self._refused(access, error) from None
        except (ConnectTimeoutError, ReadTimeoutError, TimeoutError):
            raise failed("timeout", self._provider) from None
        except (NoCredentialsError, PartialCredentialsError):
            raise failed("unauthorized", self._provider) from None
        except ParamValidationError as error:
            raise failed("invalid_request", self._provider, str(error), secrets=secrets_of(access)) from None
        except (NoConnection, HTTPClientError, HttpError, OSError):
            raise failed("unreachable", self._provider) from None
        except (BotoCoreError, ParserError, LookupError, TypeError, ValueError, AttributeError):
            # An answer that is not as its service model says comes out of aiobotocore as any of these.
            raise failed("bad_answer", self._provider) from None

    def _refused(self, access: Access, error: ClientError) -> ModelFailed:
        """A refusal. In a stream its code begins with a small letter."""
        told: Mapping[str, Any] = error.response
        code, message = told.get("Error", {}).get("Code", ""), told.get("Error", {}).get("Message", "")
        about = told.get("ResponseMetadata", {})
        refusal = Refusal((code[:1].upper() + code[1:],), message)
        wait = retry_after_s(about.get("HTTPHeaders", {}), self._clock.now_ms())
        reason = reason_of(about.get("HTTPStatusCode"), refusal)
        return failed(reason, self._provider, message, secrets=secrets_of(access), retry_after_s=wait)


def _config(*, own: bool) -> AioConfig:
    return AioConfig(
        connect_timeout=CONNECT_S,
        read_timeout=3600,  # each call has a deadline of its own
        retries={"total_max_attempts": 1, "mode": "standard"},
        ignore_configured_endpoint_urls=True,
        signature_version="v4" if own else None,
        warm_up_loader_caches=True,
    )


def deadline(timeout_ms: int) -> float:
    """That many milliseconds from now, in the event loop's time."""
    return asyncio.get_running_loop().time() + timeout_ms / 1000


async def by(end: float, work: Awaitable[T]) -> T:
    """What comes of `work`. Raises TimeoutError at `end`.

    Each piece of a stream is waited for apart: a time-out around all of them would reach into whoever reads it.
    """
    async with asyncio.timeout_at(end):
        return await work
