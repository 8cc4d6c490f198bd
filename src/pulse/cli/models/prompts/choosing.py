"""The prompt template that a command is about, by id or name."""

from typing import Any

from pulse.cli.models.choosing import chosen
from pulse.cli.options import At
from pulse.cli.session import part

TEMPLATES = "/api/prompt-templates"


async def find_template(at: At, wanted: str) -> dict[str, Any]:
    """Raises NotFound."""
    return chosen(await at.rows(TEMPLATES), wanted, "prompt template")


async def path_of(at: At, wanted: str) -> str:
    """The address of a template. Raises NotFound."""
    return f"{TEMPLATES}/{part((await find_template(at, wanted))['id'])}"
