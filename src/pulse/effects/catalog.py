"""Every effect there is, over whatever of the world an installation has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pulse.effects.calls import Effect
from pulse.effects.world.actions import Actions, RunAction
from pulse.effects.world.announcements import Announcements, Publisher
from pulse.effects.world.assistant import AdminApi, Assistant
from pulse.effects.world.legacy import LegacyModels
from pulse.effects.world.mailing import Mailing, OfKey
from pulse.effects.world.pinecone import Pinecone
from pulse.effects.world.prompting import Prompting
from pulse.effects.world.remembering import Remembering
from pulse.effects.world.social import Mastodon
from pulse.effects.world.sports import Sports
from pulse.effects.world.sub_workflows import SubWorkflows
from pulse.effects.world.vectors import Vectors
from pulse.effects.world.web import Web
from pulse.egress.port import Egress
from pulse.mail.port import Mailer
from pulse.memory.short_term import ShortTermMemory
from pulse.memory.vectors.memory import VectorMemory
from pulse.models.port import Models
from pulse.prompts.caller import ModelCaller
from pulse.prompts.kept import KeptModels


@dataclass(frozen=True)
class World:
    """What an installation has; a function whose part is missing says so when it is called."""

    sub_workflows: SubWorkflows
    egress: Egress | None = None
    publisher: Publisher | None = None
    mailer: Mailer | None = None
    mailer_of_key: OfKey | None = None
    short_term: ShortTermMemory | None = None
    vectors: VectorMemory | None = None
    caller: ModelCaller | None = None
    models: KeptModels | None = None
    bedrock: Models | None = None
    aws_region: str = "us-east-2"
    actions: Actions | None = None
    admin: AdminApi | None = None
    assistant_home: tuple[str, str] | None = None


def all_effects(world: World) -> Sequence[Effect[Any]]:
    """The effects, in the order in which people look for them."""
    web = Web(world.egress)
    legacy = LegacyModels(web, world.bedrock, world.aws_region)
    groups = (
        Prompting(world.caller, world.models, legacy, web),
        web,
        Remembering(world.short_term),
        Vectors(world.vectors),
        Pinecone(web),
        Mailing(world.mailer, world.mailer_of_key),
        Announcements(world.publisher),
        Mastodon(web),
        Sports(web),
        RunAction(world.actions),
        Assistant(world.admin, world.assistant_home),
        world.sub_workflows,
    )
    return [effect for group in groups for effect in group.effects()]


def documented() -> Sequence[Effect[Any]]:
    """The effects as they are told of: none of them can be called."""
    nothing: Any = None
    return all_effects(World(SubWorkflows(nothing, nothing, nothing, nothing, 0)))
