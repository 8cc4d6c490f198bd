"""What the first start makes: an organization, an environment, a key, and example workflows for GitHub's webhooks.

And an administrator, who operates the installation and owns the demo. Nothing has a password that anybody could know:
the administrator has none, and comes in by a link that works once, until they have chosen one.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml

from pulse.bootstrap.wiring import Parts, write_private
from pulse.console.people.letters import link
from pulse.core.errors import Conflict, NotFound
from pulse.prompts.records import ConfigurationDraft, CredentialDraft
from pulse.tenancy.audit.act import Act, Actor, acting, concern
from pulse.tenancy.people.records import User
from pulse.tenancy.records import Environment
from pulse.tenancy.roles import Role
from pulse.workflows.records import Entity, Workflow
from pulse.workflows.transfer import check_document, with_ids

ORGANIZATION = "Demo"
ENVIRONMENT = "development"
MODEL = "Mock"
ADMINISTRATOR = "admin@localhost"
# What the audit calls it.
FIRST_START = "installation:start"
T = TypeVar("T")


@dataclass(frozen=True)
class Demo:
    """The demo's credentials, as `credentials.json` holds them."""

    url: str
    api_key: str
    organization_id: str
    environment_id: str
    # Of the administrator; the link only as long as there is no password.
    admin_email: str | None = None
    sign_in_url: str | None = None


async def make_demo(parts: Parts, credentials: Path, url: str, *, with_workflows: bool) -> Demo | None:
    """The demo of this installation: made if nothing is there yet. None where there are other organizations only."""
    kept = _kept(credentials)
    if kept is not None:
        demo = Demo(url, kept["apiKey"], kept["organizationId"], kept["environmentId"])
    else:
        names = [organization.name for organization in await parts.tenancy.organizations()]
        if names and ORGANIZATION not in names:
            return None
        with acting(Act(Actor("system"), FIRST_START, parts.clock.now_ms())):
            demo = await _new_demo(parts, url, with_workflows=with_workflows)
    with acting(Act(Actor("system"), FIRST_START, parts.clock.now_ms())):
        demo = await _with_administrator(parts, demo)
    write_private(credentials, json.dumps(shown(demo), indent=2) + "\n")
    return demo


async def _with_administrator(parts: Parts, demo: Demo) -> Demo:
    """With who operates the installation, made where nobody does; and a link to sign in, until they have a password."""
    people = parts.people
    found = await people.users.by_email(ADMINISTRATOR)
    if found is None and not any(user.is_system for user in await people.users.all()):
        found = await _new_administrator(parts, demo.organization_id)
    if found is None:
        return demo
    if found.password is not None or found.disabled_at is not None:
        return replace(demo, admin_email=found.email)
    token = await people.tickets.issue(found, "sign_in")
    url = link(parts.settings.own_address or demo.url, "sign-in", token)
    return replace(demo, admin_email=found.email, sign_in_url=url)


async def _new_administrator(parts: Parts, organization_id: str) -> User | None:
    people = parts.people
    with contextlib.suppress(Conflict):
        place: tuple[str, Role] = (organization_id, "Admin")
        await people.users.create(ADMINISTRATOR, None, is_system=True, first_name="Administrator", member_of=place)
    return await people.users.by_email(ADMINISTRATOR)


async def _new_demo(parts: Parts, url: str, *, with_workflows: bool) -> Demo:
    """Makes what is missing: a first start that was cut off is finished by the next."""
    environment = await _environment(parts)
    concern(environment.organization_id, environment.id)
    if with_workflows:
        await _make_model(parts, environment.organization_id)
    present = {workflow.name for workflow in (await parts.workflows.workflows(environment.organization_id))[0]}
    for document in example_documents() if with_workflows else ():
        if document["name"] not in present:
            await install(parts, environment, document)
    _, key = await parts.tenancy.create_key(environment, "demo")
    return Demo(url, key, environment.organization_id, environment.id)


async def _environment(parts: Parts) -> Environment:
    store = parts.tenancy
    organization = await _present(
        lambda: store.organization(ORGANIZATION), lambda: store.create_organization(ORGANIZATION)
    )
    return await _present(
        lambda: store.environment(organization.id, ENVIRONMENT),
        lambda: store.create_environment(organization.id, ENVIRONMENT),
    )


async def _make_model(parts: Parts, organization_id: str) -> None:
    """A model that needs no provider, so that the examples' prompts are answered from the first start on."""
    models = parts.models
    if (await models.configurations.list(organization_id))[1]:
        return
    with contextlib.suppress(Conflict):
        words = "Answers at once, without a provider, and always the same: for trying things out."
        credential = await models.credentials.create(organization_id, CredentialDraft(MODEL, "mock", "none", words))
        draft = ConfigurationDraft(MODEL, "mock/mock-small", credential.id, words, is_default=True)
        await models.configurations.create(organization_id, draft)


async def _present(find: Callable[[], Awaitable[T]], make: Callable[[], Awaitable[T]]) -> T:
    """What is found, or else made; on a server, another process may make it at the same moment."""
    with contextlib.suppress(NotFound):
        return await find()
    with contextlib.suppress(Conflict):
        return await make()
    return await find()


def example_documents() -> list[dict[str, Any]]:
    """The example workflows that ship with Pulse, in the order of their files."""
    folder = resources.files("pulse.bootstrap") / "examples"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return [yaml.safe_load(file.read_text()) for file in files]


async def install(parts: Parts, environment: Environment, document: dict[str, Any]) -> Workflow:
    """Stores a workflow document with its entities, all of them new."""
    check_document(document)
    ids = {}
    for key, fields in document.get("entities", {}).items():
        entity = await parts.workflows.create_entity(_entity(environment, fields))
        ids[key] = entity.id
    return await parts.workflows.create_workflow(
        Workflow(
            id="",
            organization_id=environment.organization_id,
            environment_id=environment.id,
            name=document["name"],
            description=document.get("description"),
            priority=document.get("priority", 100),
            is_active=document.get("isActive", True),
            data=with_ids(document, ids),
        )
    )


def _entity(environment: Environment, document: dict[str, Any]) -> Entity:
    fields = {name: value for name, value in document.items() if name not in ("name", "entityType", "description")}
    return Entity(
        id="",
        organization_id=environment.organization_id,
        environment_id=environment.id,
        name=document["name"],
        entity_type=document["entityType"],
        description=document.get("description"),
        fields=fields,
    )


def _kept(credentials: Path) -> dict[str, str] | None:
    try:
        kept: dict[str, str] = json.loads(credentials.read_text())
        return kept if {"apiKey", "organizationId", "environmentId"} <= set(kept) else None
    except (OSError, ValueError):
        return None


def shown(demo: Demo) -> dict[str, str]:
    """The credentials under the names that people see; what there is not is left out."""
    of_administrator = {"adminEmail": demo.admin_email, "signInUrl": demo.sign_in_url}
    return {
        "url": demo.url,
        "apiKey": demo.api_key,
        "organizationId": demo.organization_id,
        "environmentId": demo.environment_id,
        **{name: value for name, value in of_administrator.items() if value is not None},
    }
