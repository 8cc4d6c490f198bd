"""Everybody who may ask: people of each role, strangers, and keys: good, narrow, foreign, revoked, expired ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pulse.tenancy.roles import PERMISSIONS, Role
from tests.integration.console.matrix.houses import House
from tests.integration.console.matrix.tables import is_of_nobody
from tests.integration.console.people.rooms import PASSWORD, Browser, user
from tests.integration.receiver.installation import Installation

Kind = Literal["nobody", "person", "operator", "key"]
NARROW = "key with every other scope"
KEYS = tuple(name for name, permission in PERMISSIONS.items() if permission.keys)


@dataclass
class Asker:
    """Somebody. `home` is the organization they belong to; `scopes` is what a narrow key may, empty: everything."""

    name: str
    kind: Kind
    home: House
    role: Role | None = None
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    email: str = ""

    @property
    def is_system(self) -> bool:
        return self.kind == "operator" or self.role == "System"

    def refusal(self, permission: str) -> set[int]:
        """How they are refused, whatever they ask for; empty: they may do it."""
        if is_of_nobody(permission) and not permission.startswith("profile:"):
            return set()
        if is_of_nobody(permission):
            return set() if self.kind == "person" else {403} if self.headers else {401}
        if self.kind == "nobody":
            return {401}
        return set() if self.is_system or self._may(permission) else {403}

    def _may(self, permission: str) -> bool:
        found = PERMISSIONS[permission]
        if self.kind == "person":
            return self.role is not None and found.is_held_by(self.role)
        # A script speaks by a key that may not do more than a role.
        is_held = self.role is None or found.is_held_by(self.role)
        return found.keys and is_held and (not self.scopes or permission in self.scopes)

    async def sign_in(self) -> None:
        """Once more, where the last session was ended by what they did."""
        if self.kind != "person":
            return
        browser = Browser(self.home.pulse)
        answer = await browser.sign_in(self.email, PASSWORD)
        assert answer.status_code == 200, answer.text
        self.headers = {"Cookie": f"rocketwave_session={browser.cookie}", "X-CSRF-Token": browser.csrf}


async def askers(pulse: Installation, home: House, stranger: House) -> dict[str, Asker]:
    """By name."""
    found = [
        Asker("anonymous", "nobody", home),
        *[await _person(home, role) for role in ("Guest", "User", "Admin")],
        await _person(stranger, "Admin", "stranger's Admin"),
        await _person(home, "System"),
        Asker("operator", "operator", home, headers=pulse.operator),
        Asker("key", "key", home, headers=home.tenant.headers),
        await _key(home, "key with all scopes", *KEYS),
        await _key(home, "key with one scope", "workflows:read"),
        Asker("stranger's key", "key", stranger, headers=stranger.tenant.headers),
        await _ended(home, "revoked key", "DELETE", ""),
        await _ended(home, "expired key", "POST", "/rotate"),
        _script(home),
        # For each permission it is another one: see `narrow`.
        Asker(NARROW, "key", home),
        Asker("forged key", "nobody", home, headers={"Authorization": f"{home.tenant.headers['Authorization'][:-1]}~"}),
    ]
    return {asker.name: asker for asker in found}


async def narrow(home: House, permission: str) -> Asker:
    """A key that may do everything but this one thing."""
    scopes = [name for name in KEYS if name != permission]
    return await _key(home, NARROW, *scopes)


async def _person(at: House, role: Role, name: str | None = None) -> Asker:
    made = await user(at.pulse, None if role == "System" else at.tenant, role)
    asker = Asker(name or role, "person", at, role, email=made["email"])
    await asker.sign_in()
    return asker


def _script(at: House) -> Asker:
    token = at.pulse.parts.authenticator.token_of_scripts(at.tenant.organization_id, at.tenant.environment_id)
    return Asker("script", "key", at, "User", headers={"Authorization": f"Bearer {token}"})


async def _key(at: House, name: str, *scopes: str) -> Asker:
    made = await at.pulse.another_key(at.tenant, *scopes)
    return Asker(name, "key", at, scopes=scopes, headers=made.headers)


async def _ended(at: House, name: str, method: str, path: str) -> Asker:
    """A key that was good once, and was ended by its organization."""
    record, text = await at.pulse.parts.tenancy.create_key(at.tenant.environment, name)
    headers = {"Authorization": f"Bearer {text}"}
    before = await at.pulse.client.get("/api/workflows", headers=headers)
    body = {"graceSeconds": 0} if method == "POST" else None
    ended = await at.pulse.client.request(
        method, f"/api/api-keys/{record.id}{path}", json=body, headers=at.tenant.headers
    )
    assert (before.status_code, ended.is_success) == (200, True), ended.text
    return Asker(name, "nobody", at, headers=headers)
