"""What tests of the platform share: calls of the admin API, scripts of other places, drawn workflows."""

import json
from typing import Any

from pulse.sandbox.port import Tenant as Place
from pulse.workflows.records import Entity, Workflow
from tests.integration.effects.functions.bench import Bench
from tests.integration.receiver.installation import Installation, Tenant
from tests.unit.workflows.drawn import inline


def call(method: Any, path: Any, params: Any = None) -> str:
    given = ", ".join(json.dumps(each) for each in (method, path, *([] if params is None else [params])))
    return f"await mcpCall({given})"


def of(assistant: Bench, tenant: Tenant) -> Bench:
    return Bench(assistant.sandbox, assistant.world, Place(tenant.organization_id, tenant.environment_id))


async def drawn(pulse: Installation, tenant: Tenant, name: str) -> Workflow:
    """A workflow of one event."""
    store, place = pulse.parts.workflows, (tenant.organization_id, tenant.environment_id)
    start = await store.create_entity(Entity("", *place, f"Start of {name}", "event"))
    return await store.create_workflow(Workflow("", *place, name, {"root": inline(start.id)}))
