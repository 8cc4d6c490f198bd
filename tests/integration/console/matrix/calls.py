"""Every request of the matrix: an operation, who asks, and which id is somebody else's."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tests.integration.console.matrix.askers import Asker
from tests.integration.console.matrix.operations import PLACE, Operation, places
from tests.integration.console.matrix.tables import is_of_nobody

# Places of bodies that are no ids of what an organization has.
UNOWNED = {"name", "secret", "email", "own_email", "identifier", "organization_name"}
ORGANIZATION, ENVIRONMENT = "query:organizationId", "query:environmentId"


@dataclass(frozen=True)
class Call:
    """One request. `swapped`: the places where another organization's id stands, `query:…`, `path:…` or `body:…`.

    `by_name`: it is named instead. `ghost`: the id is nobody's at all. `worst`: everything is wrong at once.
    """

    operation: Operation
    asker: str
    swapped: tuple[str, ...] = ()
    by_name: bool = False
    ghost: bool = False
    worst: bool = False

    def __str__(self) -> str:
        marks = [name for name in ("by_name", "ghost", "worst") if getattr(self, name)]
        return " ".join([f"{self.operation} by {self.asker}", *self.swapped, *marks])

    @property
    def is_plain(self) -> bool:
        return not self.swapped and not self.worst


def calls(found: Iterable[Operation], who: Iterable[Asker]) -> list[Call]:
    """All of them: about twice as many as operations times askers times places of ids."""
    askers = list(who)
    return [call for operation in found for asker in askers for call in _calls(operation, asker)]


def _calls(operation: Operation, asker: Asker) -> list[Call]:
    made = [Call(operation, asker.name), Call(operation, asker.name, worst=True)]
    if is_of_nobody(operation.permission):
        return made
    for swapped in swaps(operation):
        made.append(Call(operation, asker.name, swapped))
        if not asker.is_system:
            made.append(Call(operation, asker.name, swapped, ghost=True))
        if swapped == (ORGANIZATION,):
            made.append(Call(operation, asker.name, swapped, by_name=True))
    return made


def swaps(operation: Operation) -> list[tuple[str, ...]]:
    """Each place alone, organization and environment together, the whole path, and everything at once."""
    every = owned(operation)
    path = tuple(place for place in every if place.startswith("path:"))
    here = (ORGANIZATION, ENVIRONMENT)
    together = [here, path, (*here, *every)]
    return list(dict.fromkeys([*((each,) for each in (*here, *every)), *(each for each in together if each)]))


def owned(operation: Operation) -> tuple[str, ...]:
    """The places of an operation where ids of what an organization has stand."""
    path = [f"path:{name}" for name, place in operation.parts if PLACE.fullmatch(place)]
    query = [f"query:{name}" for name, place in operation.query if PLACE.fullmatch(place)]
    body = [f"body:{at}" for at, kind in places(operation.body) if kind not in UNOWNED]
    return (*path, *query, *body)


def sample(every: list[Call], size: int) -> list[Call]:
    """The same calls at each run, about as many of each operation; what an Admin may do is always among them."""
    always = [call for call in every if call.is_plain and call.asker in ("Admin", "anonymous")]
    taken = set(always)
    rest = sorted((call for call in every if call not in taken), key=_mixed)
    return [*always, *rest[: max(0, size - len(always))]]


def _mixed(call: Call) -> bytes:
    return hashlib.sha256(str(call).encode()).digest()
