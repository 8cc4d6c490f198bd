"""The workflows that an environment has, and what workflow documents mean beside them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pulse.cli.session import Session
from pulse.cli.workflows.apply import Change, as_json, changes_of, check_contents
from pulse.cli.workflows.configurations import Configurations, read_configurations
from pulse.cli.workflows.documents import read_all
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import with_configuration_ids


@dataclass(frozen=True)
class Stored:
    """Workflows, entities by their ids, and the model configurations that they may use."""

    workflows: Sequence[Workflow]
    entities: dict[str, Entity]
    models: Configurations

    @property
    def ids(self) -> dict[str, str]:
        """The ids of the workflows by name; of several with one name, the first one's."""
        return {workflow.name: workflow.id for workflow in reversed(self.workflows)}

    def check(self, document: dict[str, Any], beside: Collection[str]) -> None:
        """Raises InvalidFields where the document cannot be applied together with documents of those names."""
        there = {*beside, *(name for each in self.workflows for name in (each.id, each.name))}
        check_contents(document, there)
        self.models.check(document)

    def changes(
        self, documents: Sequence[dict[str, Any]], shown_as: Callable[[dict[str, Any]], str] = as_json
    ) -> list[Change]:
        """What applying documents that were checked would change."""
        wanted = [with_configuration_ids(document, self.models.ids) for document in documents]
        names = self.models.names
        return [changes_of(document, self.workflows, self.entities, names, shown_as) for document in wanted]


async def read_stored(pulse: Session, place: dict[str, str]) -> Stored:
    """What the environment has now."""
    workflows, entities = await read_all(pulse, place)
    return Stored(workflows, entities, await read_configurations(pulse, place))
