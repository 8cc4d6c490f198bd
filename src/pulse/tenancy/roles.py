"""The permission table: what there is to be allowed, and who is. `pulse roles` prints it.

A permission is `resource:verb`. Roles are ranks: each may do what the ones after it may. An API key concerns one
environment; it may hold what its column says, narrowed by its scopes.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from pulse.core.errors import Fault

Role = Literal["System", "Admin", "User", "Guest"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Permission:
    """`allows` is what one may do with it, in words; `least` the lowest role that has it; `keys`: API keys may, too.

    `whole`: it concerns no single environment, so that of a person's roles the one in the organization counts.
    """

    name: str
    least: Role
    keys: bool
    allows: str
    whole: bool = False

    def is_held_by(self, role: Role) -> bool:
        return ROLES.index(role) <= ROLES.index(self.least)


PERMISSIONS: dict[str, Permission] = {
    permission.name: permission
    for permission in (
        Permission("organizations:create", "System", False, "make an organization", whole=True),
        Permission("organizations:read", "System", False, "see all organizations", whole=True),
        Permission("environments:create", "System", False, "make an environment", whole=True),
        Permission("users:create", "System", False, "make users", whole=True),
        Permission("users:read", "System", False, "see all users", whole=True),
        Permission(
            "users:write", "System", False, "disable and delete users, and take away their second factor", whole=True
        ),
        Permission("plans:write", "System", False, "change what plans allow and cost", whole=True),
        Permission("subscriptions:write", "System", False, "give organizations plans and limits", whole=True),
        Permission("plans:read", "Guest", True, "see the plans there are", whole=True),
        Permission("subscriptions:read", "Admin", False, "see the organization's plan and limits", whole=True),
        Permission("subscriptions:buy", "Admin", False, "buy a plan for the organization, and end it", whole=True),
        Permission("usage:read", "Guest", True, "see how many messages the organization has had evaluated", whole=True),
        Permission("organizations:update", "Admin", False, "rename the organization", whole=True),
        Permission("organizations:delete", "System", False, "delete an organization", whole=True),
        Permission("environments:update", "Admin", False, "rename environments", whole=True),
        Permission("environments:delete", "Admin", False, "delete environments that are empty", whole=True),
        Permission("teams:read", "Guest", False, "see the organization's teams", whole=True),
        Permission(
            "teams:write",
            "Admin",
            False,
            "make, change and delete teams, which give rights on environments",
            whole=True,
        ),
        Permission("environments:read", "Guest", True, "see the organization's environments", whole=True),
        Permission("members:read", "Guest", False, "see who belongs to the organization", whole=True),
        Permission(
            "members:write", "Admin", False, "invite people, change the roles of members, and remove them", whole=True
        ),
        Permission("invitations:read", "Admin", False, "see who was invited", whole=True),
        Permission("api-keys:read", "Admin", True, "see API keys, without their secrets"),
        Permission("api-keys:write", "Admin", True, "make, rotate and revoke API keys"),
        Permission("audit:read", "Admin", False, "see who changed what, and who was refused", whole=True),
        Permission("sources:read", "User", True, "see the addresses that webhooks are sent to"),
        Permission("sources:write", "User", True, "make sources of webhooks, and rotate their secrets"),
        Permission("workflows:copy", "User", False, "copy workflows into environments where one may change them"),
        Permission("variables:read", "Guest", True, "see the names of variables, never their values"),
        Permission("variables:write", "User", True, "set and delete variables"),
        Permission("messages:create", "User", True, "send messages"),
        Permission("messages:read", "Guest", True, "see messages, their logs and results"),
        Permission("messages:replay", "User", True, "replay messages"),
        Permission("messages:cancel", "User", True, "cancel messages"),
        Permission("messages:delete", "Admin", True, "delete messages"),
        Permission("workflows:read", "Guest", True, "see workflows and their entities"),
        Permission("workflows:write", "User", True, "make, change and delete workflows and their entities"),
        Permission("workflows:trigger", "User", True, "send a message to one workflow"),
        Permission("workflows:test", "User", True, "try a draft on a message"),
        Permission("models:read", "Guest", True, "see providers, models and their configurations", whole=True),
        Permission(
            "models:write", "Admin", True, "make, change and delete model configurations and legacy models", whole=True
        ),
        Permission("credentials:read", "Guest", True, "see the names of credentials, never their secrets", whole=True),
        Permission("credentials:create", "Admin", True, "store a provider's credential", whole=True),
        Permission("credentials:update", "Admin", True, "change a credential", whole=True),
        Permission("credentials:delete", "Admin", True, "delete a credential", whole=True),
        Permission(
            "credentials:validate", "Admin", True, "try a credential by a small call, which may cost money", whole=True
        ),
        Permission("prompts:read", "Guest", True, "see prompt templates and their runs"),
        Permission("prompts:write", "User", True, "make, change and delete prompt templates"),
        Permission("prompts:run", "User", True, "run prompt templates, which may cost money"),
    )
}


def unknown_scopes(scopes: Iterable[str]) -> list[Fault]:
    """What is wrong with the scopes of a new key: one fault for each that no key can have."""
    held = [name for name, permission in PERMISSIONS.items() if permission.keys]
    return [Fault(f"scopes.{at}", "unknown_scope", _advice(s, held)) for at, s in enumerate(scopes) if s not in held]


def beyond(role: Role, scopes: Iterable[str]) -> list[str]:
    """What a key of these scopes (none: all) could do with an organization whole, and the role there may not."""
    wanted = set(scopes) or set(PERMISSIONS)
    return [p.name for p in PERMISSIONS.values() if p.whole and p.keys and p.name in wanted and not p.is_held_by(role)]


def _advice(scope: str, held: list[str]) -> str:
    if scope in PERMISSIONS:
        return f"No key can hold {scope}: use the pulse command on the machine itself."
    close = difflib.get_close_matches(scope, held, 1)
    return f"There is no permission {scope!r}.{f' Did you mean {close[0]}?' if close else ''} `pulse roles` lists them."
