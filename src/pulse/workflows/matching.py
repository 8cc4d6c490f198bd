"""Which workflows of an environment a message is tried against: found by its type, in the order of the workflows.

A workflow whose first event cannot be passed by a message of that type is passed over, without a look at it; what it
would have said of the message is known all the same (`passed_over`), so that a message that was ignored says why.
"""

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pulse.workflows.gate import Gate
from pulse.workflows.plan import WorkflowPlan

MAX_TYPES = 1_000
WRAPPED, ESCAPE = b'"message"', b"\\u"


@dataclass(frozen=True)
class Listing:
    """A workflow of the environment. One without a plan is empty, or has the `problem` that it cannot be used for."""

    id: str
    name: str
    is_active: bool
    plan: WorkflowPlan | None
    problem: str | None = None


class Plans:
    """The workflows of an environment, in the order in which messages are tried against them."""

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self.listings = tuple(listings)
        self.by_id = {listing.id: listing for listing in self.listings}
        self._open: list[int] = []
        self._wrapped: list[int] = []
        self._by_type: dict[str, list[int]] = {}
        self._found: dict[str | None, tuple[WorkflowPlan, ...]] = {}
        for position, listing in enumerate(self.listings):
            if listing.is_active and listing.plan is not None and listing.plan.starts_with_event:
                self._place(position, listing.plan.gate)

    @property
    def is_empty(self) -> bool:
        """Whether there is no workflow, or none that is switched on."""
        return not any(listing.is_active for listing in self.listings)

    @property
    def inactive(self) -> int:
        return sum(not listing.is_active for listing in self.listings)

    def candidates(self, message_type: str | None, payload: bytes) -> tuple[WorkflowPlan, ...]:
        """The plans that a message of that type is tried against, in order."""
        if self._wrapped and (WRAPPED in payload or ESCAPE in payload):
            # `message.type` may be a field of the message's own: only the sandbox can tell.
            return tuple(
                self._plan(at) for at in heapq.merge(self._positions(message_type), self._doubtful(message_type))
            )
        found = self._found.get(message_type)
        if found is None:
            if len(self._found) >= MAX_TYPES:
                self._found.clear()
            found = self._found[message_type] = tuple(map(self._plan, self._positions(message_type)))
        return found

    def passed_over(self, tried: Iterable[str]) -> Iterator[dict[str, Any]]:
        """What the active workflows that were not tried have to say, in order; see `reason_of`."""
        known = set(tried)
        return (reason_of(listing) for listing in self.listings if listing.is_active and listing.id not in known)

    @cached_property
    def directory(self) -> str:
        """The workflows by name, as JSON, where a script may ask for them; empty otherwise."""
        if not any(listing.plan is not None and listing.plan.names_workflows for listing in self.listings):
            return "{}"
        return directory_of(self.listings)

    def _place(self, position: int, gate: Gate | None) -> None:
        if gate is None:
            self._open.append(position)
            return
        if gate.wrapped:
            self._wrapped.append(position)
        for message_type in gate.types:
            self._by_type.setdefault(message_type, []).append(position)

    def _positions(self, message_type: str | None) -> Iterator[int]:
        return heapq.merge(self._open, self._by_type.get(message_type, ()) if message_type is not None else ())

    def _doubtful(self, message_type: str | None) -> list[int]:
        """Those with a gate on `message.type` that its type does not open."""
        opened = set(self._by_type.get(message_type, ()) if message_type is not None else ())
        return [position for position in self._wrapped if position not in opened]

    def _plan(self, position: int) -> WorkflowPlan:
        plan = self.listings[position].plan
        assert plan is not None
        return plan


def directory_of(listings: Iterable[Listing]) -> str:
    """`{name: {id, workflowId, name, isActive}}` as JSON; of several with one name, the first."""
    entries: dict[str, dict[str, Any]] = {}
    for listing in listings:
        ids = {"id": listing.id, "workflowId": listing.id}
        entries.setdefault(listing.name, {**ids, "name": listing.name, "isActive": listing.is_active})
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"))


def reason_of(listing: Listing) -> dict[str, Any]:
    """Why a workflow takes no message, or not this one, before any of it runs: `{workflowId, name, code? | rule…}`."""
    return {"workflowId": listing.id, "name": listing.name, **_told(listing)}


def _told(listing: Listing) -> dict[str, Any]:
    plan = listing.plan
    if not listing.is_active:
        return {"code": "inactive"}
    if plan is None:
        return {"code": "not_usable", "detail": listing.problem} if listing.problem else {"code": "empty"}
    if not plan.starts_with_event:
        return {"code": "no_event"}
    gate = plan.gate
    return {"entity": gate.entity, "rule": gate.rule} if gate is not None else {}
