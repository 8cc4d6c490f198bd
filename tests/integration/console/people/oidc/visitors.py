"""Browsers that go from Pulse to the identity provider and back."""

import asyncio
import urllib.request
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx2

from tests.integration.console.people.oidc.issuer import Issuer
from tests.integration.console.people.rooms import PASSWORD, USERS
from tests.integration.receiver.installation import Installation

OIDC = "/api/session/oidc"
CALLBACK = f"{OIDC}/callback"
_numbers = count(1)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Does not go where it is sent."""

    def redirect_request(self, *_args: Any) -> None:
        return None


@dataclass
class Visitor:
    """A browser with cookies of its own."""

    pulse: Installation
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, address: str, **headers: str) -> httpx2.Response:
        parts = urlsplit(address)
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {
            **({"cookie": pairs} if pairs else {}),
            **{name.replace("_", "-"): each for name, each in headers.items()},
        }
        self.pulse.client.cookies.clear()
        answer = await self.pulse.client.get(f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=sent)
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        if f"{OIDC}" in answer.headers.get("set-cookie", "") and 'rocketwave_oidc=""' in answer.headers["set-cookie"]:
            self.cookies.pop("rocketwave_oidc", None)
        self.pulse.client.cookies.clear()
        return answer

    async def leave(self) -> str:
        """The address at the provider that the button leads to."""
        answer = await self.get(OIDC, sec_fetch_site="same-origin")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def sent_back(self) -> str:
        """The address that the provider sends this browser back to, once somebody has signed in there."""
        return await asyncio.to_thread(_location_of, await self.leave())

    async def come_back(self, address: str) -> httpx2.Response:
        return await self.get(address, sec_fetch_site="cross-site", sec_fetch_mode="navigate")

    async def sign_in(self) -> httpx2.Response:
        return await self.come_back(await self.sent_back())

    async def email(self) -> str | None:
        """Whom the session speaks for."""
        answer = await self.get("/api/session")
        return str(answer.json()["user"]["email"]) if answer.status_code == 200 else None


@dataclass
class Office:
    """An installation with an identity provider."""

    pulse: Installation
    issuer: Issuer

    def visitor(self) -> Visitor:
        return Visitor(self.pulse)

    def create_users(self) -> None:
        oidc = self.pulse.parts.oidc
        assert oidc is not None
        oidc._provider.client = replace(oidc._provider.client, creates_users=True)

    async def user(self) -> str:
        """The mail address of somebody whom the operator made, and who is the next to sign in at the provider."""
        email = f"grace-{next(_numbers)}@example.com"
        body = {"email": email, "password": PASSWORD, "role": "System"}
        made = await self.pulse.client.post(USERS, json=body, headers=self.pulse.operator)
        assert made.status_code == 201, made.text
        self.is_next(email)
        return email

    def is_next(self, email: str, **claims: Any) -> None:
        """Says who signs in next at the provider."""
        self.issuer.who = {"sub": f"subject of {email}", "email": email, "email_verified": True, **claims}

    async def refused(self, visitor: Visitor | None = None) -> tuple[int, str]:
        """The status and the code with which a sign-in ends that comes to nothing."""
        here = visitor or self.visitor()
        answer = await here.sign_in()
        assert "rocketwave_session" not in answer.headers.get("set-cookie", ""), answer.text
        return answer.status_code, str(answer.json()["code"])


def _location_of(address: str) -> str:
    opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))
    try:
        opener.open(address, timeout=10).close()
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 302:
                return str(error.headers["location"])
            _fail(f"the provider answers {error.code}: {error.read().decode()}")
    _fail("the provider sent nobody back")


def _fail(words: str) -> NoReturn:
    raise AssertionError(words)
