"""A mail server on this machine (aiosmtpd): with TLS of a certificate of its own, and with a password."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "pulse@example.com", "p@ss:word/ü"
URL_USER, URL_PASSWORD = "pulse%40example.com", "p%40ss%3Aword%2F%C3%BC"


@dataclass
class MailServer:
    """`taken` are the mails that were accepted. `answers` are what to say to a command, by the command or mailbox."""

    tls: str
    port: int = 0
    ca_file: Path | None = None
    taken: list[Envelope] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    logins: int = 0
    sessions_with_tls: list[bool] = field(default_factory=list)

    def url(self, options: str = "", *, credentials: str = f"{URL_USER}:{URL_PASSWORD}@") -> str:
        scheme = "smtps" if self.tls == "implicit" else "smtp"
        ca = "" if self.ca_file is None else f"ca={self.ca_file}"
        query = "&".join(filter(None, [options, ca]))
        return f"{scheme}://{credentials}127.0.0.1:{self.port}" + (f"?{query}" if query else "")

    async def handle_MAIL(self, _s: SMTP, _x: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _s: SMTP, _x: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _x: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("2"):
            self.taken.append(envelope)
            has_tls = server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
            self.sessions_with_tls.append(has_tls)
        return answer

    def authenticate(self, _s: SMTP, _x: Session, _e: Envelope, _mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        self.logins += right
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mail_server(folder: Path, tls: str, **options: Any) -> AsyncIterator[MailServer]:
    """A server with TLS `starttls` (required), `implicit` or `none` (and then without a password)."""
    handler = MailServer(tls)
    context = None
    if tls != "none":
        handler.ca_file, context = _certificate(folder)
        options = {"authenticator": handler.authenticate, **options}
    if tls == "starttls":
        options = {"tls_context": context, "require_starttls": True, "auth_required": True, **options}
    if tls == "implicit":
        # aiosmtpd takes a connection that has TLS from its first byte for one without.
        options = {"auth_require_tls": False, **options}
    options = {"hostname": "mail.example.com", "enable_SMTPUTF8": True, **options}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **options),
        *("127.0.0.1", 0),
        ssl=context if tls == "implicit" else None,
    )
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pulse test mail server")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca_file, key_file = folder / "ca.pem", folder / "key.pem"
    ca_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ca_file, key_file)
    return ca_file, context
