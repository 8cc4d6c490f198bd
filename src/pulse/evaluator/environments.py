"""What scripts find around them in an environment: its variables, and its workflows by name where they ask for them."""

import hashlib

import msgspec

from pulse.sandbox.port import Surroundings
from pulse.tenancy.variables import Variables

_encode = msgspec.json.Encoder().encode
MAX_KEPT = 10_000


class Environments:
    """The surroundings of each environment, written once for each change."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Variables, str, Surroundings | None]] = {}

    def of(self, place: tuple[str, str], variables: Variables, directory: str) -> Surroundings | None:
        """None where there is nothing to find."""
        kept = self._kept.get(place)
        if kept is not None and kept[0] is variables and kept[1] is directory:
            return kept[2]
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        made = surroundings(variables, directory)
        self._kept[place] = (variables, directory, made)
        return made


def surroundings(variables: Variables, directory: str = "{}") -> Surroundings | None:
    """The surroundings of these variables, and of a directory of workflows as JSON; None where both are empty."""
    if not variables.values and directory == "{}":
        return None
    name = f"{variables.id}.{hashlib.sha256(directory.encode()).hexdigest()[:16]}"
    contents = f'"variables":{_encode(variables.values).decode()},"workflows":{directory}'
    return Surroundings(name, f'{{"id":"{name}",{contents}}}')
