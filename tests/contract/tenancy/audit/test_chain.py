"""The chain: sealed in the order of commits, by one process at a time, and every kind of tampering is found."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from pulse.core.errors import Misconfigured
from pulse.tenancy.audit import reading, sealing
from pulse.tenancy.audit.act import acting
from pulse.tenancy.audit.chain import canonical, shown
from pulse.tenancy.audit.records import Entry, Wanted
from tests.contract.lending import spoil
from tests.contract.tenancy.audit.conftest import Process


async def change(process: Process, *names: str) -> None:
    for name in names:
        with acting(process.act()):
            await process.store.create_environment(process.ours, name)


async def chain(process: Process) -> list[Entry]:
    return [entry async for entry in process.audit.reader.sealed(process.ours, Wanted())]


def names(entries: list[Entry]) -> list[str]:
    return [json.loads(entry.subjects)[0]["name"] for entry in entries]


async def run(process: Process, statement: Any) -> None:
    async with process.database.write() as connection:
        await connection.execute(statement)


async def test_entries_get_their_places_once(here: Process) -> None:
    await change(here, "a", "b")
    assert [entry.sequence for entry in await here.entries()] == [None, None]
    assert await here.audit.sealer.seal() == 2
    before = await chain(here)
    await change(here, "c")
    assert (await here.audit.sealer.seal(), await here.audit.sealer.seal()) == (1, 0)
    after = await chain(here)
    assert after[:2] == before
    assert [(entry.sequence, name) for entry, name in zip(after, names(after), strict=True)] == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
    ]
    assert await here.faults() == []


async def test_each_organization_has_a_chain_and_the_installation_has_one(here: Process) -> None:
    for place in (here.ours, here.tenancy.theirs.id, ""):
        await here.audit.log.refused(here.act(organization_id=place), "forbidden")
    assert await here.audit.sealer.seal() == 3
    for place in (here.ours, here.tenancy.theirs.id, ""):
        assert [entry.sequence for entry in await here.entries(place)] == [1]
    found = await here.audit.reader.verify(60.0)
    assert (found.chains, found.entries, found.unsealed, list(found.broken)) == (3, 3, 0, [])


async def test_what_is_shown_is_enough_to_verify(here: Process) -> None:
    """With nothing but SHA-256, as somebody would who has an export."""
    await change(here, "a", "Größe \u2028 \U0001f600", "c")
    await here.audit.sealer.seal()
    previous = bytes(32)
    for entry in await chain(here):
        line = json.dumps(shown(entry), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(previous + line.encode()).digest() == entry.hash
        previous = entry.hash


async def test_what_is_committed_later_comes_later(here: Process, elsewhere: Process, database_url: str) -> None:
    """Its id is the smaller one: it was given when its transaction began to write."""
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer: the order of ids is that of commits")
    table = here.tenancy.tables.environments
    with acting(here.act()):
        async with here.database.write() as connection:
            row = {"id": "env_9", "organization_id": here.ours, "name": "late", "created_at": 1}
            await connection.execute(insert(table), [row])
            await connection.run_sync(lambda under: here.audit.log.write(under, here.act("early:id"), []))
            await change(elsewhere, "quick")
            assert await elsewhere.audit.sealer.seal() == 1
    assert await here.audit.sealer.seal() == 2
    found = await chain(here)
    assert [entry.sequence for entry in found] == [1, 2, 3]
    assert found[0].action == "environments:create"
    assert "early:id" in {entry.action for entry in found[1:]}
    assert await here.faults() == []


async def test_two_processes_seal_one_chain(here: Process, elsewhere: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "AT_ONCE", 3)
    for _ in range(3):
        await asyncio.gather(change(here, *map(str, range(4))), change(elsewhere, *map(str, range(4, 8))))
        counts = await asyncio.gather(*(each.audit.sealer.seal() for each in (here, elsewhere, here, elsewhere)))
        rest = await here.audit.sealer.seal()
        assert sum(counts) + rest == 8
        async with here.database.write() as connection:
            table = here.tenancy.tables.environments
            await connection.execute(delete(table).where(table.c.id != here.tenancy.here.id))
    assert [entry.sequence for entry in await chain(here)] == list(range(1, 25))
    assert await here.faults() == []


async def test_long_chains_are_read_in_parts(here: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "AT_ONCE", 3)
    monkeypatch.setattr(reading, "AT_ONCE", 2)
    await change(here, *map(str, range(7)))
    assert await here.audit.sealer.seal() == 7
    assert names(await chain(here)) == list(map(str, range(7)))
    found = await here.audit.reader.verify(60.0)
    assert (found.entries, list(found.broken), found.is_whole) == (7, [], True)
    assert not (await here.audit.reader.verify(-1.0)).is_whole


# ---- tampering ---------------------------------------------------------------------------------------------------

Tamper = Callable[[Process], Awaitable[None]]


def _changed(**values: Any) -> Tamper:
    async def tamper(process: Process) -> None:
        c = process.tenancy.tables.audit.entries.c
        await run(process, update(process.tenancy.tables.audit.entries).where(c.sequence == 2).values(values))

    return tamper


async def _deleted(process: Process) -> None:
    table = process.tenancy.tables.audit.entries
    await run(process, delete(table).where(table.c.sequence == 2))


async def _deleted_and_closed_up(process: Process) -> None:
    table = process.tenancy.tables.audit.entries
    await _deleted(process)
    await run(process, update(table).where(table.c.sequence == 3).values(sequence=2))
    await run(process, update(table).where(table.c.sequence == 4).values(sequence=3))


async def _swapped(process: Process) -> None:
    table = process.tenancy.tables.audit.entries
    for old, new in ((2, 99), (3, 2), (99, 3)):
        await run(process, update(table).where(table.c.sequence == old).values(sequence=new))


async def _put_in(process: Process) -> None:
    """Between the first and the second, with a right hash of its own."""
    table = process.tenancy.tables.audit.entries
    first, second, *_ = await chain(process)
    for old in (4, 3, 2):
        await run(process, update(table).where(table.c.sequence == old).values(sequence=old + 1))
    forged = sealed_like(second, first.hash or b"")
    await run(process, insert(table).values(**forged))


def sealed_like(entry: Entry, previous: bytes) -> dict[str, Any]:
    row = {**vars(entry), "id": "aud_forged", "actor_id": "usr_666"}
    made = hashlib.sha256(previous + canonical(shown(Entry(**row)))).digest()
    return {**row, "hash": made}


async def _tail_cut(process: Process) -> None:
    table = process.tenancy.tables.audit.entries
    await run(process, delete(table).where(table.c.sequence > 2))


async def _head_set_back(process: Process) -> None:
    heads = process.tenancy.tables.audit.heads
    await run(process, update(heads).where(heads.c.organization_id == process.ours).values(entries=3))


async def _head_of_another_hash(process: Process) -> None:
    heads = process.tenancy.tables.audit.heads
    await run(process, update(heads).where(heads.c.organization_id == process.ours).values(hash=bytes(32)))


async def _head_gone(process: Process) -> None:
    heads = process.tenancy.tables.audit.heads
    await run(process, delete(heads).where(heads.c.organization_id == process.ours))


async def _all_gone(process: Process) -> None:
    await run(process, delete(process.tenancy.tables.audit.entries))


@pytest.mark.parametrize(
    ("tamper", "place", "words"),
    [
        pytest.param(_changed(actor_id="usr_2"), 2, "is not what was sealed", id="actor"),
        pytest.param(_changed(subjects="[]"), 2, "is not what was sealed", id="subjects"),
        pytest.param(_changed(subjects="no JSON"), 2, "is not what was sealed", id="no JSON"),
        pytest.param(_changed(subjects="[" * 100_000), 2, "is not what was sealed", id="deep"),
        pytest.param(_changed(at=1), 2, "is not what was sealed", id="time"),
        pytest.param(_changed(at=1 << 62), 2, "is not what was sealed", id="no time"),
        pytest.param(_changed(outcome="refused"), 2, "is not what was sealed", id="outcome"),
        pytest.param(_changed(address="x"), 2, "is not what was sealed", id="address"),
        pytest.param(_changed(hash=bytes(32)), 2, "is not what was sealed", id="hash"),
        pytest.param(_changed(organization_id="org_x"), 1, "", id="moved to another chain"),
        pytest.param(_deleted, 2, "entry 2 is missing: the next that is there is 3", id="deleted"),
        pytest.param(_deleted_and_closed_up, 2, "is not what was sealed", id="deleted and closed up"),
        pytest.param(_swapped, 2, "is not what was sealed", id="swapped"),
        pytest.param(_put_in, 3, "is not what was sealed", id="put in"),
        pytest.param(_tail_cut, 3, "entries 3 to 4 are missing", id="tail cut off"),
        pytest.param(_head_set_back, 4, "there are entries after the chain's end, which is 3", id="head set back"),
        pytest.param(_head_of_another_hash, 4, "is not the one that the chain's end names", id="another hash"),
        pytest.param(_head_gone, 4, "the record of where the chain ends is gone", id="head gone"),
        pytest.param(_all_gone, 1, "entries 1 to 4 are missing", id="all gone"),
    ],
)
async def test_tampering_is_found(here: Process, tamper: Tamper, place: int, words: str) -> None:
    await change(here, "a", "b", "c", "d")
    await here.audit.sealer.seal()
    assert await here.faults() == []
    await tamper(here)
    found = {fault.organization_id: fault for fault in await here.faults()}
    if not words:
        assert found[here.ours].words.startswith("entry 2 is missing")
        assert found["org_x"].words.startswith("entry 1 is missing")
        return
    assert found.keys() == {here.ours}
    assert found[here.ours].sequence == place
    assert words in found[here.ours].words


async def test_a_broken_chain_stays_broken_when_it_grows(here: Process) -> None:
    await change(here, "a", "b", "c")
    await here.audit.sealer.seal()
    await _deleted(here)
    await change(here, "d")
    await here.audit.sealer.seal()
    (fault,) = await here.faults()
    assert fault.sequence == 2


async def test_an_entry_that_cannot_be_written_undoes_its_change(here: Process) -> None:
    async with here.database.write() as connection:
        await connection.run_sync(here.tenancy.tables.audit.entries.drop)
    spoil(here.database.prefix)
    with acting(here.act()), pytest.raises(Misconfigured):
        await here.store.create_environment(here.ours, "unseen")
    async with here.database.read() as connection:
        environments = here.tenancy.tables.environments
        assert "unseen" not in (await connection.execute(select(environments.c.name))).scalars().all()
