"""The workflows of an environment, in the files and by the code of `pulse workflows export|apply`."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pulse.cli.tenancy.configuration.changes import Change, Planned, Target, shown
from pulse.cli.tenancy.configuration.folder import EnvironmentFolder
from pulse.cli.tenancy.configuration.models import known_models
from pulse.cli.tenancy.configuration.present import read_workflows
from pulse.cli.workflows.apply import carry_out_all
from pulse.cli.workflows.configurations import Configurations
from pulse.cli.workflows.stored import Stored
from pulse.core.errors import InvalidFields

NOUN = "workflow"


def plan_workflows(planned: Planned, each: EnvironmentFolder) -> None:
    """A change for each; the first that is one carries out all of them, which may start each other."""
    there = planned.present.environments.get(each.name)
    stored = _as_it_will_be(planned, there.stored if there else Stored([], {}, Configurations([])))
    good = {
        file: document for file, document in each.workflows.items() if _is_good(planned, each, stored, file, document)
    }
    wanted = stored.changes(list(good.values()), shown)
    first = next((change for change in wanted if change.kind != "unchanged"), None)
    send = partial(_send_all, each, {row["id"]: row["name"] for row in planned.present.legacy})
    for change in wanted:
        sends = send if change is first else None
        planned.changes.append(Change(NOUN, change.name, change.kind, change.diff, each.name, sends))
    names = [document["name"] for document in each.workflows.values()]
    planned.leave(NOUN, [workflow.name for workflow in stored.workflows], names, each.name)


def _as_it_will_be(planned: Planned, stored: Stored) -> Stored:
    """With the model configurations that the folder makes; until they have ids, they go by their names."""
    rows = planned.present.models
    there = [(row["id"], row["name"]) for row in rows]
    made = known_models(planned) - planned.present.scoped(rows).keys()
    return replace(stored, models=Configurations([*there, *((name, name) for _, name in sorted(made))]))


def _is_good(planned: Planned, each: EnvironmentFolder, stored: Stored, file: Path, document: dict[str, Any]) -> bool:
    try:
        stored.check(document, [other["name"] for other in each.workflows.values()])
    except InvalidFields as error:
        planned.problems.add(file, *error.faults)
        return False
    return True


async def _send_all(each: EnvironmentFolder, legacy: dict[str, str], target: Target) -> None:
    place = target.at(each.name).place
    stored = await read_workflows(target.pulse, place, legacy)
    changes = stored.changes(list(each.workflows.values()))
    await carry_out_all(changes, target.pulse, place, stored.ids)
