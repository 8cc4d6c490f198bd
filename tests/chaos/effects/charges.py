"""A script with two effects, the ways in which they may be repeated, and how its message ends."""

from tests.chaos.effects.premises import Summary
from tests.chaos.effects.process import Manner

SCRIPT = """
const charge = await call('charge ' + payload.order);
const mail = await call('mail ' + payload.order, charge.receipt);
___result___ = [charge.receipt, mail.receipt];
"""
MANNERS = {
    "retry": Manner(),
    "check": Manner("check"),
    "manual": Manner("manual"),
    "reads": Manner(reads=True),
}


def success(order: str) -> Summary:
    return "success", None, [f"receipt for charge {order}", f"receipt for mail {order}"], {}, 2


UNKNOWN: Summary = ("fail", "effect_uncertain", None, {1: "done", 2: "intent"}, 2)
