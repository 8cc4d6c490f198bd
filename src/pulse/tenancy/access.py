"""Who is asking, and what they may do. `authorize` is the one place where a right is granted or refused."""

import dataclasses
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from pulse.core.errors import Fault, Forbidden, InvalidFields, NotFound, Unauthenticated
from pulse.tenancy.keys import read_key
from pulse.tenancy.records import ApiKey
from pulse.tenancy.roles import PERMISSIONS, Role
from pulse.tenancy.store import TenancyStore

KEPT_S = 10.0
MAX_KEPT = 10_000


@dataclass(frozen=True)
class Principal:
    """Whoever a request speaks for. `scopes` empty: everything within its organization and environment.

    `expires_at` (ms since 1970): when the key ends by itself, if it does. A person who is signed in has a `user_id`,
    and where it is spoken for a `role`, which in an environment may be another than the `organization_role`.

    `system`: the operator of this installation, on the machine itself; speaks for any organization, one at a time.
    """

    organization_id: str
    environment_id: str
    key_id: str
    scopes: tuple[str, ...] = ()
    system: bool = False
    expires_at: int | None = None
    user_id: str = ""
    role: Role | None = None
    organization_role: Role | None = None


SCRIPTS = "scripts"
OPERATOR = Principal("", "", "operator", system=True)


def authorize(principal: Principal, action: str) -> None:
    """Raises Forbidden unless the principal may do `action`, one of `PERMISSIONS`."""
    if principal.system:
        return
    permission = PERMISSIONS[action]
    if principal.user_id:
        if principal.role is None or not permission.is_held_by(principal.role):
            raise Forbidden(f"Your role here is {principal.role or 'none'}, which may not {permission.allows}.")
        return
    if not permission.keys:
        words = "use the pulse command on the machine itself" if permission.least == "System" else "sign in"
        raise Forbidden(f"An API key may not do {action}: {words}.")
    # Whoever may write workflows writes scripts, and must not come to more by them.
    if principal.key_id == SCRIPTS and not permission.is_held_by("User"):
        raise Forbidden(f"A script may not do {action}: scripts may do what the role User may.")
    if principal.scopes and action not in principal.scopes:
        raise Forbidden(f"This key may not do {action}: it was made with the scopes {', '.join(principal.scopes)}.")


def _nobody(_key_id: str, _at: int) -> None:
    """Hears of uses, and forgets them."""


class Authenticator:
    """Recognises API keys, and the token of the commands on this machine (`local_token`).

    A key is looked up again after KEPT_S at the latest, so that a revoked one ends soon.
    """

    def __init__(
        self, store: TenancyStore, local_token: str | None = None, note_use: Callable[[str, int], None] = _nobody
    ) -> None:
        """`note_use` is told the id of each key that is used, and when, in ms since 1970."""
        self._store = store
        self._local_token = local_token
        self._note_use = note_use
        self._kept: dict[str, tuple[float, Principal]] = {}
        self._changes = 0
        self._own = secrets.token_hex(32)

    def token_of_scripts(self, organization_id: str, environment_id: str) -> str:
        """A token with the rights of that organization and environment, good in this process alone, for no time."""
        place = f"{organization_id}.{environment_id}"
        return f"{SCRIPTS}_{place}.{_proof(self._own, place)}"

    async def authenticate(self, authorization: str | None) -> Principal:
        """The principal of an `Authorization: Bearer …` header. Raises Unauthenticated."""
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        kept = self._kept.get(given)
        if kept is not None and time.monotonic() < kept[0]:
            self._used(kept[1])
            return kept[1]
        if self._local_token is not None and hmac.compare_digest(given.encode(), self._local_token.encode()):
            return OPERATOR
        if given.startswith(f"{SCRIPTS}_"):
            return self._principal_of_scripts(given.removeprefix(f"{SCRIPTS}_"))
        return await self._look_up(given)

    def _principal_of_scripts(self, token: str) -> Principal:
        place, _, proof = token.rpartition(".")
        if not hmac.compare_digest(proof.encode(), _proof(self._own, place).encode()):
            raise Unauthenticated
        organization_id, _, environment_id = place.partition(".")
        return Principal(organization_id, environment_id, SCRIPTS)

    async def within(self, principal: Principal, organization: str | None, environment: str | None) -> Principal:
        """The principal, speaking for the organization and environment that a request names (by id or name).

        A key speaks for its own only. Raises NotFound for others, InvalidFields where the operator names none.
        """
        if not principal.system:
            if organization not in (None, principal.organization_id):
                raise NotFound(f"There is no organization {organization!r}.")
            if environment not in (None, principal.environment_id):
                raise Forbidden("This key belongs to another environment.")
            return principal
        if not organization or not environment:
            words = "Say which organization and environment: organizationId and environmentId."
            raise InvalidFields([Fault("organizationId", "missing", words)])
        found = await self._store.organization(organization)
        place = await self._store.environment(found.id, environment)
        return dataclasses.replace(principal, organization_id=found.id, environment_id=place.id)

    def forget(self, _organization_id: str, _environment_id: str) -> None:
        """To be called when something of that environment has changed, which may be a key."""
        self.forget_all()

    def forget_all(self) -> None:
        """Changes may have been missed."""
        self._changes += 1
        self._kept.clear()

    async def _look_up(self, given: str) -> Principal:
        presented, changes = read_key(given.strip()), self._changes
        key = await self._store.find_key(presented) if presented is not None else None
        if key is None:
            self._kept.pop(given, None)
            raise Unauthenticated
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        principal = _principal(key)
        # What was read before a change that came meanwhile is not kept.
        if changes == self._changes:
            self._kept[given] = (time.monotonic() + self._store.lasts_s(key, KEPT_S), principal)
        self._used(principal)
        return principal

    def _used(self, principal: Principal) -> None:
        self._note_use(principal.key_id, time.time_ns() // 1_000_000)


def _proof(secret: str, place: str) -> str:
    return hmac.digest(secret.encode(), place.encode(), "sha256").hex()


def _principal(key: ApiKey) -> Principal:
    return Principal(key.organization_id, key.environment_id, key.id, key.scopes, expires_at=key.expires_at)
