"""Signals as they become durable: the trigger, the runs that it starts and the waits that it ends, in one transaction.

On PostgreSQL a signal and a wait that begins at the same time could miss each other, each not seeing what the other has
not committed. So both lock the type of signal within the tenant: signals among themselves share that lock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, String, bindparam, cast, func, select, tuple_, update

from pulse.core.ids import first_id_at, time_of
from pulse.engine.records import TriggerEnvelope, WorkflowRun
from pulse.engine.rules.matcher import filters_fit, wait_fits
from pulse.engine.store.definitions import DefinitionStore, Version
from pulse.engine.store.forms.records import Records
from pulse.engine.store.forms.values import moment_at, ms_of
from pulse.engine.store.ground import Ground
from pulse.engine.store.held import Held
from pulse.engine.store.new_runs import NewRun, NewRuns, Origin
from pulse.storage.claims import CHUNK, chunks
from pulse.storage.locks import lock_number
from pulse.storage.rows import Given, Insertion

_COLUMNS = (
    "id",
    "tenant_id",
    "source",
    "type",
    "resource_type",
    "resource_id",
    "environment",
    "payload",
    "created_at",
    "idempotency_key",
    "traceparent",
)


@dataclass(frozen=True)
class Emission:
    """A signal to be stored. `payload` is its JSON text; `take`: this process drives one run of it at once.

    `only` are the versions to run instead of those that match (for replays); `stored`: the trigger is there already.
    """

    trigger: TriggerEnvelope
    payload: str
    origin: Origin = field(default_factory=Origin)
    take: bool = False
    only: tuple[tuple[str, int], ...] | None = None
    stored: bool = False


@dataclass(frozen=True)
class Emitted:
    """What became of a signal. A repeat has the envelope of the first, and no runs."""

    trigger: TriggerEnvelope
    run_ids: tuple[str, ...] = ()
    held: Held | None = None
    woke_others: bool = False


class Signals:
    """Stores signals, within the transactions of others."""

    def __init__(self, ground: Ground, definitions: DefinitionStore, runs: NewRuns) -> None:
        self._database = ground.database
        self._tables = tables = ground.tables
        self._values = values = ground.values
        self._claims = ground.claims
        self._definitions = definitions
        self._runs = runs
        self._records = Records(values)
        self._triggers = Insertion(tables.triggers, *_COLUMNS, instead="keep")
        kinds = {"tenant_id": tables.waits.c.tenant_id.type, "type": String()}
        self._types = Given(ground.database.dialect, kinds)

    def emit(self, connection: Connection, emissions: Sequence[Emission]) -> list[Emitted]:
        """Stores them all; what became of each."""
        self.lock_types(connection, [each.trigger for each in emissions if not each.stored], shared=True)
        repeats = self._store(connection, [each for each in emissions if not each.stored])
        fresh = [each for each in emissions if each.trigger.id not in repeats]
        started = self._start(connection, fresh)
        woken = self._end_waits(connection, [each.trigger for each in fresh if not each.stored])
        return [
            Emitted(repeats[each.trigger.id])
            if each.trigger.id in repeats
            else _emitted(each, started[each.trigger.id, each.origin.nonce], each.trigger.id in woken)
            for each in emissions
        ]

    # ---- triggers --------------------------------------------------------------------------------------------

    def _store(self, connection: Connection, emissions: Sequence[Emission]) -> dict[str, TriggerEnvelope]:
        """Inserts the triggers; for those that repeat an earlier one, by their id, the envelope of that one."""
        # In one order everywhere: two processes that write the same keys must not wait for each other. One whose id is
        # there already was recorded by this very run before, and the answer was lost.
        if emissions:
            self._triggers.execute(connection, [self._row(each) for each in sorted(emissions, key=_key)])
        keyed = [each for each in emissions if each.trigger.idempotency_key is not None]
        if not keyed:
            return {}
        first = self._first_of(connection, [_key(each) for each in keyed])
        return {each.trigger.id: first[_key(each)] for each in keyed if first[_key(each)].id != each.trigger.id}

    def _first_of(
        self, connection: Connection, keys: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], TriggerEnvelope]:
        c = self._tables.triggers.c
        found: dict[tuple[str, str], TriggerEnvelope] = {}
        for part in chunks(sorted(set(keys))):
            for row in connection.execute(select(*c).where(tuple_(c.tenant_id, c.idempotency_key).in_(part))):
                found[row.tenant_id, row.idempotency_key] = self._records.trigger(row)
        return found

    def _row(self, emission: Emission) -> tuple[object, ...]:
        trigger = emission.trigger
        return (
            trigger.id,
            trigger.tenant_id,
            trigger.source,
            trigger.type,
            trigger.resource_type,
            trigger.resource_id,
            trigger.environment,
            self._values.seal(emission.payload),
            self._values.moment(trigger.created_at),
            trigger.idempotency_key,
            trigger.traceparent,
        )

    # ---- runs ------------------------------------------------------------------------------------------------

    def _start(
        self, connection: Connection, emissions: Sequence[Emission]
    ) -> dict[tuple[str, str], list[tuple[NewRun, Held | None]]]:
        versions = self._versions(connection, emissions)
        runs = {
            (each.trigger.id, each.origin.nonce): [
                NewRun(each.trigger, version, each.origin, take=each.take and place == 0)
                for place, version in enumerate(versions[each.trigger.id, each.origin.nonce])
            ]
            for each in emissions
        }
        now = max(_time_of(each) for each in emissions) if emissions else None
        held = self._runs.start(connection, [run for group in runs.values() for run in group], now) if now else {}
        return {key: [(run, held.get(run.id)) for run in group] for key, group in runs.items()}

    def _versions(self, connection: Connection, emissions: Sequence[Emission]) -> dict[tuple[str, str], list[Version]]:
        """The versions that each signal starts."""
        open_ones = [each for each in emissions if each.only is None]
        pairs = {(each.trigger.tenant_id, each.trigger.type) for each in open_ones}
        matching = self._definitions.matching(connection, pairs) if pairs else {}
        wanted: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for each in emissions:
            matches = matching.get((each.trigger.tenant_id, each.trigger.type), [])
            fitting = [
                (match.definition_id, match.version)
                for match in matches
                if filters_fit(each.trigger, match.environment_filter, match.resource_type_filter)
            ]
            wanted[each.trigger.id, each.origin.nonce] = fitting if each.only is None else list(each.only)
        known = self._definitions.versions(connection, {key for keys in wanted.values() for key in keys})
        return {emission: [known[key] for key in keys] for emission, keys in wanted.items()}

    # ---- waits -----------------------------------------------------------------------------------------------

    def lock_types(self, connection: Connection, triggers: Iterable[TriggerEnvelope], *, shared: bool) -> None:
        """Holds the (tenant, type) pairs of the signals until the transaction ends; see above."""
        self.lock_pairs(connection, {(each.tenant_id, each.type) for each in triggers}, shared=shared)

    def lock_pairs(self, connection: Connection, pairs: Iterable[tuple[str, str]], *, shared: bool) -> None:
        if self._database.dialect == "sqlite":
            return
        numbers = sorted({lock_number("signal", tenant, kind) for tenant, kind in pairs})
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        each = func.unnest(cast(bindparam("numbers"), ARRAY(BigInteger))).column_valued("number")
        connection.execute(select(func.count(lock(each))), {"numbers": numbers})

    def _end_waits(self, connection: Connection, triggers: Sequence[TriggerEnvelope]) -> set[str]:
        """Ends the waits for these signals, and makes their runs ready; the ids of the signals that ended one."""
        c, wanted = self._tables.waits.c, self._types.rows
        by_type: dict[tuple[str, str], list[TriggerEnvelope]] = {}
        for trigger in triggers:
            by_type.setdefault((trigger.tenant_id, trigger.type), []).append(trigger)
        query = (
            select(c.id, c.run_id, c.tenant_id, c.signal_type, c.match)
            .join(wanted, (c.tenant_id == wanted.c.tenant_id) & (c.signal_type == wanted.c.type))
            .order_by(c.id)
        )
        taken: set[tuple[str, str]] = set()
        for row in connection.execute(query, self._types.parameters(by_type)).all() if by_type else []:
            match = self._values.load(row.match)
            free = (each for each in by_type[row.tenant_id, row.signal_type] if (row.run_id, each.id) not in taken)
            fitting = next((each for each in free if wait_fits(each, match)), None)
            # Another signal may have ended this wait meanwhile; then this one is free for the run's next wait.
            if fitting is not None and self._end_wait(connection, row.id, fitting.id):
                taken.add((row.run_id, fitting.id))
        if taken:
            self._claims.rouse(connection, self._tables.runs.c.id.in_(sorted({run_id for run_id, _ in taken})))
        return {trigger_id for _, trigger_id in taken}

    def _end_wait(self, connection: Connection, wait_id: str, trigger_id: str) -> bool:
        c = self._tables.waits.c
        over = update(self._tables.waits).where(c.id == wait_id, c.signal_type.is_not(None))
        return connection.execute(over.values(trigger_id=trigger_id, signal_type=None)).rowcount > 0

    def earlier(
        self, connection: Connection, run: WorkflowRun, signal_type: str, match: Mapping[str, Any]
    ) -> str | None:
        """The id of the first signal since the run began that fits, and that no other wait of the run has had."""
        c, waits = self._tables.triggers.c, self._tables.waits.c
        had = select(waits.trigger_id).where(waits.run_id == run.id, waits.trigger_id.is_not(None))
        began = first_id_at("trg", ms_of(run.created_at))
        newer = (c.tenant_id == run.tenant_id) & (c.type == signal_type) & (c.id >= began) & (c.id != run.trigger_id)
        rows = connection.execute(select(*c).where(newer, c.id.not_in(had)).order_by(c.id)).yield_per(CHUNK)
        fitting = (row.id for row in rows if wait_fits(self._records.trigger(row), match))
        return next(fitting, None)


def _emitted(emission: Emission, runs: Sequence[tuple[NewRun, Held | None]], woke: bool) -> Emitted:  # noqa: FBT001
    held = next((held for _, held in runs if held is not None), None)
    others = woke or any(each is not held for _, each in runs)
    return Emitted(emission.trigger, tuple(run.id for run, _ in runs), held, others)


def _time_of(emission: Emission) -> datetime:
    """When it was emitted, or replayed."""
    return moment_at(time_of(emission.origin.nonce)) if emission.origin.nonce else emission.trigger.created_at


def _key(emission: Emission) -> tuple[str, str]:
    return (emission.trigger.tenant_id, emission.trigger.idempotency_key or "")
