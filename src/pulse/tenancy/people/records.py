"""The records of people, frozen."""

from dataclasses import dataclass, field
from typing import Literal

from pulse.tenancy.roles import Role

Purpose = Literal["invitation", "reset", "sign_in"]
Reach = Literal["all", "teams"]


@dataclass(frozen=True)
class User:
    """Somebody who can sign in. `email` is in lower case; `is_system`: operates the installation.

    `disabled_at` (ms since 1970): since when nobody comes in as this user, neither by password nor by link.
    """

    id: str
    email: str
    first_name: str = ""
    last_name: str = ""
    avatar: str | None = None
    is_system: bool = False
    created_at: int = 0
    updated_at: int = 0
    # As argon2 writes it, its parameters and salt included; None: nobody signs in with a password.
    password: str | None = field(default=None, repr=False)
    disabled_at: int | None = None


@dataclass(frozen=True)
class Member:
    """A user's place in an organization; `environments`: whether the role holds in all, or only the teams' rights."""

    organization_id: str
    user_id: str
    role: Role
    email: str
    first_name: str
    last_name: str
    created_at: int
    environments: Reach = "all"


@dataclass(frozen=True)
class Session:
    """A sign-in that lasts. `id` is the digest of its token; times are in ms since 1970."""

    id: bytes
    user_id: str
    created_at: int
    seen_at: int
    expires_at: int


@dataclass(frozen=True)
class Ticket:
    """A way in that is used once, until `expires_at`; times are in ms since 1970.

    An invitation has an organization, a role in it, and who invited (a user's id; None: the operator at the machine).
    The others have a user.
    """

    id: str
    purpose: Purpose
    email: str
    created_at: int
    expires_at: int
    user_id: str | None = None
    organization_id: str | None = None
    role: Role | None = None
    invited_by: str | None = None
