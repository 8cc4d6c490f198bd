"""`pulse organizations apply`: a folder is read and checked whole, then what it changes is carried out, in order."""

import os
from functools import partial
from typing import Any

from pulse.cli.options import At
from pulse.cli.output import Answer, counted, print_text
from pulse.cli.session import Refused, Session
from pulse.cli.tenancy.configuration.changes import Planned, Target, label
from pulse.cli.tenancy.configuration.credentials import plan_credentials
from pulse.cli.tenancy.configuration.drawn import plan_workflows
from pulse.cli.tenancy.configuration.folder import Folder, Problems
from pulse.cli.tenancy.configuration.legacy import plan_legacy
from pulse.cli.tenancy.configuration.models import plan_models
from pulse.cli.tenancy.configuration.places import plan_contents, plan_environments, plan_organization
from pulse.cli.tenancy.configuration.present import find_organization, read_present
from pulse.cli.tenancy.configuration.prompts import plan_prompts
from pulse.cli.tenancy.configuration.teams import plan_teams
from pulse.core.errors import PulseError


async def apply(at: At, folder: Folder, organization: str | None, *, diff: bool) -> Answer:
    """Makes the organization (the folder's own, or another one) what the folder says, or shows what that would change.

    Nothing is deleted. Raises InvalidInput with all faults before the first change, Refused where one is refused.
    """
    planned = await plan(at.pulse, folder, organization)
    if not diff:
        await carry_out(at.pulse, planned)
    return Answer(as_json(planned, diff=diff), partial(_print, planned, diff=diff))


async def plan(pulse: Session, folder: Folder, organization: str | None) -> Planned:
    """What applying the folder changes. Raises InvalidInput."""
    found = await find_organization(pulse, organization or folder.organization.name)
    name = found["name"] if found is not None else organization or folder.organization.name
    present = await read_present(pulse, found, {each.name for each in folder.environments})
    planned = Planned(name, folder, present, os.environ, Problems(folder.path))
    plan_organization(planned)
    plan_environments(planned)
    plan_credentials(planned)
    plan_models(planned)
    plan_legacy(planned)
    for each in folder.environments:
        plan_contents(planned, each)
        plan_prompts(planned, each)
        plan_workflows(planned, each)
    plan_teams(planned)
    planned.problems.refuse()
    planned.notes += [f"{file} is no part of the configuration, and was not read." for file in folder.unread]
    return planned


async def carry_out(pulse: Session, planned: Planned) -> None:
    """Carries out what was planned. Raises Refused, with what was done before."""
    target, done = _target(pulse, planned), 0
    for change in planned.changes:
        if change.kind == "unchanged":
            continue
        try:
            if change.send is not None:
                await change.send(target)
        except PulseError as error:
            before = f"{counted(done, 'change')} before it stay{'s' if done == 1 else ''}"
            words = "Mend it, and apply the folder again: what is done already is not done twice."
            raise Refused(f"Stopped at the {change.label}: {error.message} {before}. {words}") from None
        done += 1


def _target(pulse: Session, planned: Planned) -> Target:
    present = planned.present
    target = Target(pulse, planned.name, present.organization["id"] if present.organization else "")
    target.environments = {row["name"]: row["id"] for row in present.places}
    target.credentials = {key: row["id"] for key, row in present.scoped(present.credentials).items()}
    target.models = {key: row["id"] for key, row in present.scoped(present.models).items()}
    target.prompts = {
        (name, row["name"]): row["id"] for name, each in present.environments.items() for row in each.prompts
    }
    return target


def as_json(planned: Planned, *, diff: bool) -> dict[str, Any]:
    """What is told to programs; with the diffs where those were asked for."""
    changes = [
        {
            "resource": change.noun,
            "name": change.name,
            "environment": change.environment,
            "change": change.kind,
            **({"diff": list(change.diff)} if diff else {}),
        }
        for change in planned.changes
    ]
    names = ("resource", "name", "environment")
    left_alone = [dict(zip(names, each, strict=True)) for each in planned.left_alone]
    return {"organization": planned.name, "changes": changes, "leftAlone": left_alone, "notes": planned.notes}


def _print(planned: Planned, *, diff: bool) -> None:
    changed = [change for change in planned.changes if change.kind != "unchanged"]
    for change in changed:
        print_text(f"{change.kind:7} {change.label}")
        for line in change.diff if diff else ():
            print_text(f"  {line}")
    for each in planned.left_alone:
        print_text(f"left alone: {label(*each)}")
    for note in planned.notes:
        print_text(f"Note: {note}")
    same = len(planned.changes) - len(changed)
    if not changed:
        print_text(
            f"Nothing differs: {planned.name} is as the folder says{', but for the notes' if planned.notes else ''}."
        )
    elif diff:
        print_text(f"{counted(len(changed), 'difference')} to {planned.name}, {same} the same. Nothing was changed.")
    else:
        print_text(f"{counted(len(changed), 'change')} made to {planned.name}, {same} were the same already.")
