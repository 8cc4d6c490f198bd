"""Teams: rights on environments by name, members by mail address."""

from functools import partial

from pulse.cli.tenancy.configuration.changes import Planned, Target, put
from pulse.cli.tenancy.configuration.folder import Filed
from pulse.cli.tenancy.configuration.forms import TeamForm
from pulse.cli.tenancy.configuration.present import Present, Row
from pulse.core.errors import Fault


def team_of(row: Row, present: Present) -> TeamForm:
    """What a file would say of a team."""
    people = {each["userId"]: each["email"] for each in present.members}
    places = {each["id"]: each["name"] for each in present.places}
    members = sorted(people[user] for user in row["memberIds"] if user in people)
    rights = {places[each["environmentId"]]: each["role"] for each in row["rights"] if each["environmentId"] in places}
    return TeamForm.model_validate({"name": row["name"], "members": members, "rights": rights})


def plan_teams(planned: Planned) -> None:
    there = {row["name"]: row for row in planned.present.teams}
    for filed in planned.folder.teams:
        row = there.get(filed.form.name)
        before = None if row is None else team_of(row, planned.present)
        wanted = _team(planned, filed, before)
        old = None if before is None else before.compared()
        planned.compare("team", wanted.name, old, wanted.compared(), partial(_send_team, wanted, row, planned.present))
    planned.leave("team", there, [filed.form.name for filed in planned.folder.teams])


def _team(planned: Planned, filed: Filed[TeamForm], before: TeamForm | None) -> TeamForm:
    """The team that the file makes: rights on environments that the folder does not have stay as they are."""
    form = filed.form
    for name in sorted(form.rights.keys() - planned.environments):
        words = "There is no environment of this name, in the folder or there."
        planned.problems.add(filed.file, Fault(f"rights.{name}", "unknown_environment", words))
    covered = {each.name for each in planned.folder.environments}
    kept = {} if before is None else {name: role for name, role in before.rights.items() if name not in covered}
    members = before.members if before is not None and form.members is None else _members(planned, form)
    fields = {"name": form.name, "members": members or [], "rights": {**kept, **form.rights}}
    return TeamForm.model_validate(fields)


def _members(planned: Planned, form: TeamForm) -> list[str]:
    """Those who belong to the organization, as they are written there; of the others a note is made."""
    there = {row["email"].lower(): row["email"] for row in planned.present.members}
    wanted = {email.lower(): email for email in form.members or []}
    for email in sorted(wanted.keys() - there.keys()):
        who = f"{wanted[email]} does not belong to the organization {planned.name!r}"
        planned.notes.append(f"The team {form.name!r} goes without one: {who}. Invite them, and apply again.")
    return sorted(there[email] for email in wanted.keys() & there.keys())


async def _send_team(form: TeamForm, row: Row | None, present: Present, target: Target) -> None:
    people = {each["email"]: each["userId"] for each in present.members}
    rights = [{"environmentId": target.environments[name], "role": role} for name, role in form.rights.items()]
    body = {"name": form.name, "memberIds": [people[email] for email in form.members or []], "rights": rights}
    await put(target.at(), "/api/teams", row, body)
