"""People at a real installation, and browsers that speak for them."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2

from tests.integration.receiver.installation import Installation, Tenant

PASSWORD = "correct horse battery"
SESSION, PROFILE, MEMBERS, USERS = "/api/session", "/api/profile", "/api/members", "/api/users"

_numbers = count(1)


@dataclass
class Browser:
    """Sends the cookie that it was given, and with each change the token of its page."""

    pulse: Installation
    cookie: str = ""
    csrf: str = ""
    user: dict[str, Any] = field(default_factory=dict)

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        answer = await self.send("POST", SESSION, {"email": email, "password": password})
        if answer.status_code == 200:
            self.csrf, self.user = answer.json()["csrfToken"], answer.json()["user"]
        return answer

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        given = {"Cookie": f"rocketwave_session={self.cookie}"} if self.cookie else {}
        token = {"X-CSRF-Token": self.csrf} if self.csrf and method != "GET" else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {} if body is None else {"json": body}
        # The client's own jar would send what this browser does not mean to send.
        self.pulse.client.cookies.clear()
        answer = await self.pulse.client.request(method, path, headers={**given, **token, **named}, **content)
        if "rocketwave_session" in answer.cookies:
            self.cookie = answer.cookies["rocketwave_session"]
        self.pulse.client.cookies.clear()
        return answer


async def user(pulse: Installation, tenant: Tenant | None = None, role: str = "User") -> dict[str, Any]:
    """A user whom the operator made."""
    place = {} if tenant is None else {"organizationId": tenant.organization_id}
    body = {"email": f"ada-{next(_numbers)}@example.com", "password": PASSWORD, "role": role, **place}
    made = await pulse.client.post(USERS, json=body, headers=pulse.operator)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def browser(pulse: Installation, tenant: Tenant | None = None, role: str = "User") -> Browser:
    """Somebody new, signed in."""
    made = Browser(pulse)
    assert (await made.sign_in((await user(pulse, tenant, role))["email"])).status_code == 200
    return made
