"""Who may use a row of models, and what does.

A row belongs to an organization, or to the installation (`SYSTEM`): every organization sees and uses those, too.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import ColumnElement

from pulse.core.errors import Conflict
from pulse.prompts.records import SYSTEM, Scope


class Uses(Protocol):
    """Somebody who may use models: entities of workflows, prompt templates."""

    async def uses_of(self, organization_id: str, model_id: str) -> Sequence[str]:
        """The names of what uses it, as people know them (for `SYSTEM`: in all organizations, without their names)."""
        ...


async def refuse_used(users: Sequence[Uses], organization_id: str, model_id: str, what: str) -> None:
    """Raises Conflict, with names, while anything uses it; `what` is what people call it."""
    names = [name for user in users for name in await user.uses_of(organization_id, model_id)]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        words = ", ".join(repr(name) for name in names[:3])
        raise Conflict(f"This {what} is used by {words}{more}. Give them another one first.")


def usable(column: ColumnElement[str], organization_id: str) -> ColumnElement[bool]:
    """What the organization may use."""
    return column.in_((organization_id, SYSTEM))


def listed(
    column: ColumnElement[str], organization_id: str, scope: Scope | None, *, include_system: bool
) -> ColumnElement[bool]:
    """What is listed for the organization: by default its own. `scope` goes before `include_system`."""
    if scope is not None:
        return column == (SYSTEM if scope == "system" else organization_id)
    return usable(column, organization_id) if include_system else column == organization_id
