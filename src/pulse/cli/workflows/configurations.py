"""The model configurations that documents name: their ids here, and what is wrong where there is none or two."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pulse.cli.models.choosing import configurations
from pulse.cli.output import plain
from pulse.cli.session import Session
from pulse.core.errors import Fault, InvalidFields


@dataclass(frozen=True)
class Configurations:
    """Model configurations, as pairs of id and name. An organization's and the installation's may share a name."""

    known: Sequence[tuple[str, str]]

    @cached_property
    def names(self) -> dict[str, str]:
        """By id, the names that one configuration alone has: those that a document may hold."""
        return {id_: name for id_, name in self.known if self._counts[name] == 1}

    @cached_property
    def ids(self) -> dict[str, str]:
        return {name: id_ for id_, name in self.names.items()}

    def check(self, document: dict[str, Any]) -> None:
        """Raises InvalidFields where the document means no configuration, or it is not clear which."""
        found = []
        for key, entity in document.get("entities", {}).items():
            place = f"entities.{key}"
            found.append(self._name_fault(f"{place}.modelConfiguration", entity.get("modelConfiguration")))
            found.append(self._id_fault(f"{place}.modelConfigurationId", entity.get("modelConfigurationId")))
        faults = [fault for fault in found if fault is not None]
        if faults:
            raise InvalidFields(faults)

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(name for _, name in self.known)

    def _name_fault(self, path: str, name: str | None) -> Fault | None:
        if not name or self._counts[name] == 1:
            return None
        if self._counts[name] > 1:
            words = f"The organization and the installation each have a model configuration {plain(name)!r}: "
            words += "give the id of the one that is meant as modelConfigurationId."
            return Fault(path, "ambiguous_configuration", words)
        words = f"There is no model configuration {plain(name)!r} here: make one with `pulse models configure`, "
        return Fault(path, "unknown_configuration", f"{words}or name one that `pulse models list` shows.")

    def _id_fault(self, path: str, id_: str | None) -> Fault | None:
        if not id_ or any(id_ == known for known, _ in self.known):
            return None
        words = "There is no model configuration of this id here: say modelConfiguration and a name that "
        return Fault(path, "unknown_configuration", f"{words}`pulse models list` shows.")


async def read_configurations(pulse: Session, place: dict[str, str]) -> Configurations:
    """Those that workflows of the environment may use: its organization's, and the installation's."""
    rows = await configurations(pulse, {"organizationId": place["organizationId"]})
    return Configurations([(row["id"], row["name"]) for row in rows])
