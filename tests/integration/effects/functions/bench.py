"""Scripts in the real sandbox with the effects that ship, and everything that is kept of what they did."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

from pulse.effects.catalog import World, all_effects, documented
from pulse.effects.journaled import MessageEffects, Past
from pulse.effects.world.sub_workflows import SubWorkflows
from pulse.egress.allow import parse_allowed
from pulse.egress.client import HttpEgress
from pulse.evaluator.environments import surroundings
from pulse.messages.journal import Entry, Journaled
from pulse.messages.records import Work
from pulse.sandbox.deno.pool import DenoSandbox
from pulse.sandbox.port import Job, Tenant, Verdict
from pulse.tenancy.variables import Variables
from tests import sandbox_support as support
from tests.unit.effects.messages import Ticking

OURS = Tenant("org_ours", "env_production")
CANARY = "canary-7c1f-of-a-secret"
"""Where a test looks for a secret, it looks for this."""

_NOBODY: Any = None
_messages = count(1)
# What any function may fail with, as the reference says; `internal_error` is nobody's aim.
_OF_ALL = {"invalid_arguments", "not_available", "answer_too_large"}
_ERRORS = {effect.name: _OF_ALL | set(effect.errors) for effect in documented()}
# What a script says of a call: what it answered, or how it failed.
_TRIED = """
try {{ ___result___ = {call} }}
catch ({{ name, code, message, retryable, effect }}) {{ ___result___ = {{ name, code, message, retryable, effect }} }}
"""


@dataclass(frozen=True)
class Failure:
    """An EffectError as the script caught it."""

    code: str
    message: str
    retryable: bool
    effect: str


@dataclass(frozen=True)
class Ran:
    """What became of a message, and its journal."""

    verdict: Verdict
    message_id: str
    entries: Mapping[int, Entry]

    @property
    def result(self) -> Any:
        return support.result(self.verdict)

    @property
    def failure(self) -> Failure:
        """The error that the script caught; its code is one that the function's documentation explains."""
        caught = self.result
        assert isinstance(caught, dict), caught
        assert caught.get("name") == "EffectError", caught
        assert caught["code"] in _ERRORS[caught["effect"]], caught
        return Failure(caught["code"], caught["message"], caught["retryable"], caught["effect"])

    @property
    def globals(self) -> Any:
        return support.body(self.verdict)["globals"]

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries of effects, without their times."""
        entries = [
            entry
            for entry in support.body(self.verdict)["log"]
            if entry["type"] == "api" or entry.get("action") == "sub_workflow_triggered"
        ]
        return [{name: value for name, value in entry.items() if name not in ("ts", "elapsed")} for entry in entries]

    @property
    def entry(self) -> dict[str, Any]:
        """The one entry of an effect, without what says where it was asked for."""
        (entry,) = self.log
        return {name: value for name, value in entry.items() if name not in ("entityId", "entityName", "entityType")}

    @property
    def keys(self) -> list[str]:
        return [entry.key for entry in self.entries.values()]

    @property
    def kept(self) -> str:
        """All that somebody may read of it later: the outcome, the index of messages, the journal's arguments."""
        seen = [self.verdict.body, (self.verdict.error or "").encode()]
        seen += [entry.arguments for entry in self.entries.values()]
        seen += [entry.answer for entry in self.entries.values() if entry.state == "failed"]
        return b"\n".join(seen).decode()

    def cut_off(self) -> Past:
        """What is recorded where the process ended before an answer was."""
        intents = [
            msgspec.structs.replace(entry, state="intent", answer=b"", delivery=0, log=b"")
            for entry in self.entries.values()
        ]
        return Past.of(Journaled(b"", tuple(intents)), None)

    def recorded(self) -> Past:
        return Past.of(Journaled(b"", tuple(self.entries.values())), None)


@dataclass
class Bench:
    """A sandbox, and what its scripts may reach."""

    sandbox: DenoSandbox
    world: World = field(default_factory=lambda: World(SubWorkflows(_NOBODY, _NOBODY, _NOBODY, _NOBODY, 0)))
    tenant: Tenant = OURS

    def reaching(self, **parts: Any) -> "Bench":
        """The same with these parts of the world."""
        changed = {name: getattr(self.world, name) for name in World.__dataclass_fields__}
        return Bench(self.sandbox, World(**{**changed, **parts}), self.tenant)

    async def run(
        self,
        script: str | Sequence[dict[str, Any]],
        *,
        variables: Mapping[str, str] | None = None,
        message: Mapping[str, Any] | None = None,
        like: Ran | None = None,
        past: Past | None = None,
        message_id: str = "",
    ) -> Ran:
        """A message for one script, or for the nodes of a plan. With `like`, it is that one's message once more."""
        message_id = message_id or (f"msg_{next(_messages)}" if like is None else like.message_id)
        nodes = [support.event(script)] if isinstance(script, str) else script
        plan, payload = support.plan(*nodes), msgspec.json.encode(message or {})
        values = tuple((variables or {}).items())
        work = Work(
            message_id, self.tenant.organization_id, self.tenant.environment_id, 1, 0, support.AT, None, payload
        )
        entries: dict[int, Entry] = {}

        async def record(entry: Entry) -> None:
            entries[entry.seq] = entry

        known = past or Past()
        entries.update(known.entries)
        functions = {effect.name: effect for effect in all_effects(self.world)}
        effects = MessageEffects(work, functions, known, record, Ticking())
        effects.around(values, {plan.id: "wf_1"})
        around = surroundings(Variables(f"variables of {message_id}", values))
        job = Job(message_id, self.tenant, [plan], payload, support.AT, support.SEED, surroundings=around)
        try:
            verdict = await self.sandbox.evaluate(job, effects)
        finally:
            await effects.close()
        return Ran(verdict, message_id, entries)

    async def tried(self, call: str, **more: Any) -> Ran:
        """A message whose script makes one call and leaves its answer, or its error."""
        return await self.run(_TRIED.format(call=call), **more)


def way_out(*allowed: str, **options: Any) -> HttpEgress:
    """The way out, open to these places beside all public ones. It trusts no certificate: no test needs one."""
    options.setdefault("tls", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return HttpEgress(parse_allowed(",".join(allowed)), **options)


def hides(ran: Ran, *secrets: str) -> None:
    """Nothing that is kept of the message holds one of these."""
    for secret in secrets or (CANARY,):
        assert secret not in ran.kept, ran.kept
