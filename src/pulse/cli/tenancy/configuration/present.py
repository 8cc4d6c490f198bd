"""What is there: the rows of the API that a configuration is about, and what of them a file would say."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from pulse.cli.models.choosing import CONFIGURATIONS, CREDENTIALS
from pulse.cli.session import Session, part
from pulse.cli.workflows.stored import Stored, read_stored
from pulse.console.bodies import EntityBody
from pulse.prompts.records import Scope

Row = dict[str, Any]
FIELDS = [str(field.alias) for field in EntityBody.model_fields.values()]
LEGACY_MODELS, PROMPT_TEMPLATES = "/api/models", "/api/prompt-templates"


@dataclass(frozen=True)
class PresentEnvironment:
    """An environment, and what is in it; the sets of values by the id of their template."""

    row: Row
    variables: list[Row]
    sources: list[Row]
    prompts: list[Row]
    sets: dict[str, list[Row]]
    stored: Stored


@dataclass(frozen=True)
class Present:
    """An organization as it is; without one, what the installation has for all."""

    organization: Row | None = None
    places: list[Row] = field(default_factory=list)
    teams: list[Row] = field(default_factory=list)
    members: list[Row] = field(default_factory=list)
    credentials: list[Row] = field(default_factory=list)
    models: list[Row] = field(default_factory=list)
    legacy: list[Row] = field(default_factory=list)
    # By name, those that were asked for.
    environments: dict[str, PresentEnvironment] = field(default_factory=dict)

    def own(self, rows: Iterable[Row]) -> dict[str, Row]:
        """The organization's own among rows of models, by name."""
        return {row["name"]: row for row in rows if row["organizationId"] is not None}

    def scoped(self, rows: Iterable[Row]) -> dict[tuple[Scope, str], Row]:
        """Rows of models by whose they are and by name."""
        return {(_scope(row), row["name"]): row for row in rows}


def _scope(row: Row) -> Scope:
    return "system" if row["organizationId"] is None else "organization"


async def find_organization(pulse: Session, named: str) -> Row | None:
    """The organization of that id or name, if there is one."""
    rows = await pulse.all_rows("/api/organizations", {})
    return next((row for row in rows if named in (row["id"], row["name"])), None)


async def read_present(pulse: Session, organization: Row | None, wanted: Collection[str] | None = None) -> Present:
    """The organization with what is in the environments of those names (None: in all)."""
    place = {} if organization is None else {"organizationId": organization["id"]}
    credentials = await pulse.all_rows(CREDENTIALS, {**place, "activeOnly": "false"})
    every = {**place, "includeSystem": "true"}
    models = await pulse.all_rows(CONFIGURATIONS, {**every, "visibleOnly": "false"})
    legacy = await pulse.all_rows(LEGACY_MODELS, every)
    if organization is None:
        return Present(credentials=credentials, models=models, legacy=legacy)
    places, teams, members = [
        await pulse.all_rows(f"/api/{name}", place) for name in ("environments", "teams", "members")
    ]
    named = {row["id"]: row["name"] for row in legacy}
    here = [row for row in places if wanted is None or row["name"] in wanted]
    environments = {row["name"]: await _environment(pulse, row, named) for row in here}
    return Present(organization, places, teams, members, credentials, models, legacy, environments)


async def _environment(pulse: Session, row: Row, legacy: dict[str, str]) -> PresentEnvironment:
    place = {"organizationId": row["organizationId"], "environmentId": row["id"]}
    variables, sources = [await pulse.all_rows(f"/api/{name}", place) for name in ("variables", "sources")]
    prompts = await pulse.all_rows(PROMPT_TEMPLATES, place)
    sets = {each["id"]: await _sets(pulse, each["id"], place) for each in prompts}
    return PresentEnvironment(row, variables, sources, prompts, sets, await read_workflows(pulse, place, legacy))


async def _sets(pulse: Session, template_id: str, place: dict[str, str]) -> list[Row]:
    found = await pulse.call("GET", f"{PROMPT_TEMPLATES}/{part(template_id)}/variable-sets", **place)
    rows: list[Row] = found["data"]
    return rows


async def read_workflows(pulse: Session, place: dict[str, str], legacy: dict[str, str]) -> Stored:
    """The workflows of an environment, by name; entities name legacy models, of which `legacy` has the names by id."""
    stored = await read_stored(pulse, place)
    entities = {id_: replace(each, fields=_as_sent_whole(each.fields, legacy)) for id_, each in stored.entities.items()}
    workflows = sorted(stored.workflows, key=lambda each: each.name)
    return replace(stored, workflows=workflows, entities=entities)


def _as_sent_whole(fields: Row, legacy: dict[str, str]) -> Row:
    """The fields of an entity, in one order, and with what may be left out, however it was made."""
    named = {"modelId": legacy[fields["modelId"]]} if fields.get("modelId") in legacy else {}
    found = {**fields, **named, "tfCondition": fields.get("tfCondition") or "Single Path"}
    return {name: found[name] for name in FIELDS if name in found} | found
