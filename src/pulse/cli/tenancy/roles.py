"""`pulse roles`: who may do what."""

from typing import Annotated, Any

import typer

from pulse.cli.options import Json, Unused
from pulse.cli.output import fail, print_json, print_table
from pulse.core.errors import NotFound
from pulse.tenancy.roles import PERMISSIONS, ROLES, Permission


def roles(
    role: Annotated[
        str | None, typer.Argument(help="Only what this role may do: System, Admin, User or Guest.")
    ] = None,
    json_: Json = False,
    _data: Unused = None,
) -> None:
    """Lists the permissions, and which roles and API keys have them."""
    wanted = next((known for known in ROLES if known.lower() == (role or "").lower()), None)
    if role is not None and wanted is None:
        fail(NotFound(f"There is no role {role!r}. Roles are {', '.join(ROLES)}."))
    found = [each for each in PERMISSIONS.values() if wanted is None or each.is_held_by(wanted)]
    if json_:
        return print_json([_told(each) for each in found])
    columns = ("Permission", *ROLES, "API key", "Allows to")
    print_table(columns, (_row(each) for each in found), "")


def _told(permission: Permission) -> dict[str, Any]:
    return {
        "permission": permission.name,
        "roles": [role for role in ROLES if permission.is_held_by(role)],
        "apiKeys": permission.keys,
        "allows": permission.allows,
    }


def _row(permission: Permission) -> tuple[str, ...]:
    marks = ["yes" if permission.is_held_by(role) else "" for role in ROLES]
    return (permission.name, *marks, "yes" if permission.keys else "", permission.allows)
