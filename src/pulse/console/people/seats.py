"""How many people a plan has room for."""

from fastapi import Request

from pulse.billing.store import BillingStore
from pulse.core.errors import Conflict
from pulse.tenancy.people.sign_in import People


class SeatsTaken(Conflict):
    """The organization's plan has no room for one more person."""

    code = "seats_taken"


async def require_seat(request: Request, organization_id: str, *, besides: str) -> None:
    """Raises SeatsTaken where the plan has no room besides members and open invitations (but for that of one address).

    Two who come at the same moment may both find the last seat: a seat too many is a matter of money, not of rights.
    """
    billing: BillingStore = request.app.state.billing
    kept = await billing.subscription(organization_id)
    if kept is None or kept.plan_key is None:
        return
    plan = await billing.plan(kept.plan_key)
    if plan.max_members is None:
        return
    people: People = request.app.state.people
    members = await people.members.members(organization_id)
    taken = len(members) + await people.tickets.open_invitations(organization_id, besides)
    if taken >= plan.max_members:
        words = f"The plan {plan.name} has room for {plan.max_members}, and {taken} belong to it or are invited."
        raise SeatsTaken(f"{words} Remove somebody, take an invitation back, or change the plan.")
