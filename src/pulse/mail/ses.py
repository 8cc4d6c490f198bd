"""Mail by Amazon SES (API v2). The message is sent as composed here; who gets it is told beside it, `bcc` too."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import get_session  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from pulse.core.clock import Clock
from pulse.mail.addresses import parse_address
from pulse.mail.compose import compose, envelope, require_ascii
from pulse.mail.port import Mail, MailFailed, Sent

_REASONS = {
    "AccessDeniedException": "unauthorized",
    "ExpiredTokenException": "unauthorized",
    "InvalidClientTokenId": "unauthorized",
    "InvalidSignatureException": "unauthorized",
    "SignatureDoesNotMatch": "unauthorized",
    "UnrecognizedClientException": "unauthorized",
    "AccountSuspendedException": "unauthorized",
    "SendingPausedException": "unauthorized",
    "MailFromDomainNotVerifiedException": "not_configured",
    "NotFoundException": "not_configured",
    "LimitExceededException": "rate_limited",
    "ThrottlingException": "rate_limited",
    "TooManyRequestsException": "rate_limited",
    "RequestEntityTooLargeException": "too_large",
}


class SesMailer:
    """Mail by way of SES in one region; implements `Mailer`. Credentials are AWS's own chain where none are given.

    SES puts a Message-ID of its own in place of ours (`Sent.provider_id`); ours goes along as `X-Pulse-Message-ID`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        sender: str | None = None,
        region: str = "us-east-2",
        endpoint_url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self._clock = clock
        self._sender = sender
        self._timeout_s = timeout_s
        self._options = {
            "region_name": region,
            "endpoint_url": endpoint_url,
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "aws_session_token": session_token,
            # One attempt: a second one of the library's own could be a second mail.
            "config": AioConfig(connect_timeout=timeout_s, read_timeout=timeout_s, retries={"total_max_attempts": 1}),
        }
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()
        self._client: Any = None

    async def send(self, mail: Mail) -> Sent:
        parties = envelope(mail, self._sender)
        require_ascii(parties, "Amazon SES")
        data = f"X-Pulse-Message-ID: {parties.message_id}\r\n".encode() + compose(mail, parties, self._clock.now_ms())
        destination = {
            "ToAddresses": [each.mailbox for each in parties.to],
            "CcAddresses": [each.mailbox for each in parties.cc],
            "BccAddresses": [each.mailbox for each in parties.bcc],
        }
        answer = await self._ask(
            "send_email",
            FromEmailAddress=parties.sender.mailbox,
            Destination={name: listed for name, listed in destination.items() if listed},
            Content={"Raw": {"Data": data}},
        )
        return Sent(parties.message_id, parties.recipients, provider_id=answer["MessageId"])

    async def check(self) -> None:
        if self._sender is None:
            raise MailFailed("not_configured", "Amazon SES needs a sender that it has verified: set one.")
        sender = parse_address(self._sender)
        try:
            await self._ask("get_email_identity", EmailIdentity=sender.mailbox)
        except MailFailed as error:
            if error.reason != "not_configured":
                raise
            await self._ask("get_email_identity", EmailIdentity=sender.domain)

    async def close(self) -> None:
        async with self._opening:
            self._client = None
            await self._open.aclose()

    async def _ask(self, operation: str, **parameters: Any) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await getattr(await self._opened(), operation)(**parameters)
        except ClientError as error:
            raise _refused(error) from error
        except (TimeoutError, ConnectTimeoutError, ReadTimeoutError) as error:
            raise MailFailed("timeout", "Amazon SES did not answer in time.") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise MailFailed("not_configured", "There are no AWS credentials to send mail with: set them.") from error
        except (BotoCoreError, OSError) as error:
            raise MailFailed("unreachable", f"Amazon SES cannot be reached: {type(error).__name__}.") from error

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                made = get_session().create_client("sesv2", **self._options)
                self._client = await self._open.enter_async_context(made)
            return self._client


def _refused(error: ClientError) -> MailFailed:
    told = error.response.get("Error", {})
    code, words = str(told.get("Code", "")), str(told.get("Message", ""))[:300]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reason = _REASONS.get(code, "unreachable" if status >= 500 else "rejected")
    if code == "MessageRejected" and "not verified" in words:
        reason = "not_configured"
    return MailFailed(reason, f"Amazon SES did not take it ({code}): {words}")
