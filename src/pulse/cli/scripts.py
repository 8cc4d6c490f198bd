"""`pulse scripts`: what scripts can call."""

from typing import Annotated, Any

import typer

from pulse.cli.options import Json, Unused
from pulse.cli.output import fail, print_json, print_table, print_text
from pulse.core.errors import NotFound
from pulse.effects.calls import Effect
from pulse.effects.catalog import documented
from pulse.sandbox.functions import FUNCTIONS


def scripts(
    name: Annotated[str | None, typer.Argument(help="One function, told of whole.")] = None,
    json_: Json = False,
    _data: Unused = None,
) -> None:
    """Lists what scripts can call, or tells all of one function."""
    found = [told for told in _known() if name in (None, told["name"])]
    if not found:
        fail(NotFound(f"Scripts cannot call {name!r}. `pulse scripts` lists what they can."))
    if json_:
        return print_json(found)
    if name is not None:
        return _print_one(found[0])
    print_table(("Call", "What it does"), ((told["signature"], told["summary"]) for told in found), "")


def _known() -> list[dict[str, Any]]:
    plain = [{"name": each.name, "signature": each.signature, "summary": each.summary} for each in FUNCTIONS]
    return plain + [_told(effect) for effect in documented() if effect.is_script_function]


def _told(effect: Effect[Any]) -> dict[str, Any]:
    return {
        "name": effect.name,
        "signature": effect.signature,
        "summary": effect.summary,
        "answers": effect.answers,
        "errors": dict(effect.errors),
        "repeat": "read" if effect.reads else effect.repeat,
        "arguments": effect.schema(),
    }


def _print_one(told: dict[str, Any]) -> None:
    print_text(f"{told['signature']}\n\n{told['summary']}")
    if "answers" in told:
        print_text(f"\nAnswers {told['answers']}.")
    if told.get("errors"):
        print_text("\nFails with")
        print_table(("Code", "When"), list(told["errors"].items()), "")
