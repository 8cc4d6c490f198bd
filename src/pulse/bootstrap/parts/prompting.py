"""Prompt templates put together: their stores, the worker of their runs, who uses models, and what is in a place."""

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pulse.bootstrap.parts.world import ModelParts
from pulse.core.clock import Clock
from pulse.core.errors import InvalidInput
from pulse.core.ids import Ids
from pulse.effects.calls import EffectFailed
from pulse.effects.world.images import images_of
from pulse.effects.world.web import Web
from pulse.egress.port import Egress
from pulse.evaluator.trial import TrialRun, Trials
from pulse.memory.vectors.store import DatabaseIndex
from pulse.models.port import Image
from pulse.prompts.records import SYSTEM
from pulse.prompts.tables import prompt_tables
from pulse.prompts.templates.assertions.checking import Assertions
from pulse.prompts.templates.contents import PromptContents
from pulse.prompts.templates.runs.queue import CellQueue
from pulse.prompts.templates.runs.results import CellFiller
from pulse.prompts.templates.runs.store import RunStore
from pulse.prompts.templates.runs.worker import PromptWorker
from pulse.prompts.templates.sets import VariableSetStore
from pulse.prompts.templates.store import TemplateStore
from pulse.sandbox.functions import EFFECTS
from pulse.sandbox.port import Tenant
from pulse.storage.claims import Claims
from pulse.storage.database import Database
from pulse.tenancy.places.changing import PlaceStore
from pulse.tenancy.store import TenancyStore
from pulse.tenancy.tables import TenancyTables
from pulse.workflows.contents import WorkflowContents
from pulse.workflows.plan import compile_plan
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.store import WorkflowStore
from pulse.workflows.tables import workflow_tables


@dataclass(frozen=True)
class PromptParts:
    """Templates, their sets of values and their runs; `cells` is the queue that the worker takes from."""

    templates: TemplateStore
    sets: VariableSetStore
    runs: RunStore
    cells: CellQueue


def build_prompts(database: Database, tenancy: TenancyTables, ids: Ids, clock: Clock) -> PromptParts:
    """Prompt templates on that database."""
    tables = prompt_tables(database.prefix)
    templates = TemplateStore(database, tables, tenancy, ids, clock)
    claims = Claims(database, tables.cells, owner=f"{os.getpid()}-{secrets.token_hex(8)}")
    return PromptParts(
        templates,
        VariableSetStore(database, tables, ids, clock),
        RunStore(database, tables, templates, ids, clock),
        CellQueue(database, tables, claims, clock),
    )


def build_prompt_worker(prompts: PromptParts, models: ModelParts, egress: Egress, trials: Trials) -> PromptWorker:
    """The worker of runs, which hears at once what is started and canceled in this process."""
    assertions = Assertions(models.caller, AssertionScripts(trials))
    worker = PromptWorker(prompts.cells, CellFiller(models.caller, assertions, FetchedPictures(egress)))
    prompts.runs.on_start, prompts.runs.on_cancel = worker.hint, worker.cancelled
    return worker


def build_places(database: Database, tenancy: TenancyTables, documents: DatabaseIndex) -> PlaceStore:
    """Renames and deletes organizations and environments, with what workflows, prompts and memory keep in them."""
    workflows = WorkflowContents(workflow_tables(database.prefix))
    return PlaceStore(database, tenancy, [workflows, PromptContents(prompt_tables(database.prefix)), documents])


class EntityUses:
    """Entities of workflows as users of models; implements `Uses`."""

    def __init__(self, workflows: WorkflowStore, tenancy: TenancyStore) -> None:
        self._workflows = workflows
        self._tenancy = tenancy

    async def uses_of(self, organization_id: str, model_id: str) -> Sequence[str]:
        if organization_id != SYSTEM:
            return await self._names(organization_id, model_id)
        everywhere = [
            await self._names(organization.id, model_id) for organization in await self._tenancy.organizations()
        ]
        return ["an entity of a workflow"] * sum(map(len, everywhere))

    async def _names(self, organization_id: str, model_id: str) -> list[str]:
        entities, _ = await self._workflows.entities(organization_id)
        return [each.name for each in entities if _model_of(each) == model_id]


def _model_of(entity: Entity) -> Any:
    """What a plan takes as the entity's model (see `workflows/plan.py`): older ones name it as `modelId`."""
    return entity.fields.get("modelConfigurationId") or entity.fields.get("modelId")


class FetchedPictures:
    """Pictures for prompts, fetched by the rules of egress or decoded; implements `Pictures`."""

    def __init__(self, egress: Egress) -> None:
        self._web = Web(egress)

    async def images(self, addresses: Sequence[str]) -> Sequence[Image]:
        try:
            return await images_of(list(addresses), self._web)
        except EffectFailed as error:
            raise NoPicture(error.message) from None


class NoPicture(InvalidInput):
    """A picture of the prompt cannot be had: check its address."""

    code = "invalid_image"


class ScriptFailed(InvalidInput):
    """The script of an assertion failed."""

    code = "script_failed"


class AssertionScripts:
    """JavaScript of assertions, evaluated in the sandbox as a test run that reaches nothing; implements `Scripts`."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials

    async def evaluate(self, organization_id: str, environment_id: str, script: str, given: Mapping[str, Any]) -> Any:
        wanted = TrialRun(_plan(Tenant(organization_id, environment_id), script), given, at=0, mocks=CLOSED)
        told = await self._trials.run(Tenant(organization_id, environment_id), wanted)
        outcome: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told))
        errors = outcome["context"]["____execution_errors____"]
        if errors:
            raise ScriptFailed(f"{errors[0]['errorType']}: {errors[0]['error']}")
        return outcome.get("result")


_WORDS = "The script of an assertion only looks at the response: it cannot call this."
CLOSED: Mapping[str, Any] = {name: {"error": {"code": "not_available", "message": _WORDS}} for name in EFFECTS}


def _plan(tenant: Tenant, script: str) -> Any:
    """A workflow of one event, whose script is the assertion's and whose result is what that returns."""
    digest = hashlib.sha256(script.encode(errors="surrogatepass")).hexdigest()[:32]
    place = (tenant.organization_id, tenant.environment_id)
    # On the script's first line, so that the lines of its errors are its own.
    fields = {"postScript": f"___result___ = await (async () => {{ {script}\n}})();"}
    event = Entity(f"ent_{digest}", *place, "assertion", "event", fields=fields)
    data = {"root": {"entityId": event.id, "entityType": "event", "children": []}}
    return compile_plan(Workflow(f"wf_{digest}", *place, "assertion", data, version=1), {event.id: event})
