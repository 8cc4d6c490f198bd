"""`pulse usage`: how many messages an organization has had evaluated this month, and how many it may have."""

from functools import partial
from typing import Annotated, Any

import typer

from pulse.billing.records import POLICIES
from pulse.cli.options import At, OrganizationOptions, opened
from pulse.cli.output import Answer, counted, print_table

app = typer.Typer(no_args_is_help=True, help="How many messages an organization has had, and may have, in a month.")
NO_LIMIT = "none"


@app.command()
@opened(OrganizationOptions)
async def show(at: At) -> Answer:
    """Shows how the organization stands in the month that is."""
    found = await at.get("/api/usage/transactions")
    return Answer(found, _told(found))


@app.command()
@opened(OrganizationOptions)
async def history(
    at: At, months: Annotated[int, typer.Option("--months", min=1, max=24, help="How many months.")] = 12
) -> Answer:
    """Lists the messages of past months, the newest first."""
    found = await at.get("/api/usage/transactions/history", months=months)
    rows = ([row["period"], str(row["count"])] for row in found["history"])
    return Answer(found, partial(print_table, ("month", "messages"), rows, "No month yet."))


@app.command()
@opened(OrganizationOptions)
async def limit(
    at: At,
    messages: Annotated[str, typer.Argument(help=f"How many a month; {NO_LIMIT}: any number.")],
    policy: Annotated[
        str, typer.Option("--policy", help="; ".join(f"{name}: {words}" for name, words in POLICIES.items()))
    ] = "hard_limit",
) -> Answer:
    """Gives the organization a limit of its own, whatever its plan says. Messages that were held go on as far as it
    allows.
    """
    if messages != NO_LIMIT and not messages.isdecimal():
        raise typer.BadParameter(f"Give a number, or {NO_LIMIT}.", param_hint="MESSAGES")
    body = {"transactionLimit": None if messages == NO_LIMIT else int(messages), "overagePolicy": policy}
    path = f"/api/subscriptions/{at.place['organizationId']}/transaction-config"
    changed = await at.pulse.call("PUT", path, body=body)
    most = changed["transactionLimit"]
    allowed = "any number of messages" if most is None else counted(most, "message")
    return Answer(changed, f"{allowed} a month ({changed['overagePolicy']})")


def _told(found: dict[str, Any]) -> str:
    most, count = found["limit"], found["currentCount"]
    if most is None:
        return f"{found['period']}: {counted(count, 'message')}, without a limit"
    share = f"{found['percentUsed']} %, {found['overagePolicy']}"
    lines = [f"{found['period']}: {count} of {counted(most, 'message')} ({share})"]
    if found["heldCount"]:
        lines.append(f"{found['heldCount']} wait until the limit rises or the month ends")
    if found["isOverLimit"]:
        lines.append("The limit is reached.")
    elif found["limitReachedAt"] is not None:
        lines.append(f"At this pace the limit is reached on {found['limitReachedAt'][:10]}.")
    return "\n".join(lines)
