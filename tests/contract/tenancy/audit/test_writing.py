"""Every change leaves its entry in the transaction that makes it: no more than one, and none where it is undone."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, insert, select

from pulse.core.errors import Conflict
from pulse.tenancy.audit.act import MAX_SUBJECTS, acting, aside, concern, note
from pulse.tenancy.audit.records import Entry, Wanted
from tests.contract.tenancy.audit.conftest import Process


def subjects(entry: Entry) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(entry.subjects)
    return found


async def test_what_is_done_for_nobody_leaves_nothing(here: Process) -> None:
    await here.store.create_environment(here.ours, "alone")
    assert await here.entries() == []


async def test_a_change_leaves_exactly_one_entry(here: Process) -> None:
    with acting(here.act(environment_id="env_1", address="10.0.0.1")):
        made = await here.store.create_environment(here.ours, "made")
    (entry,) = await here.entries()
    assert (entry.actor_kind, entry.actor_id, entry.action) == ("user", "usr_1", "environments:create")
    assert (entry.outcome, entry.reason, entry.method, entry.path) == ("done", "", "POST", "/api/x")
    assert (entry.environment_id, entry.address, entry.at) == ("env_1", "10.0.0.1", here.tenancy.clock.ms)
    assert subjects(entry) == [{"changed": {"created": True}, "id": made.id, "kind": "environment", "name": "made"}]
    assert await here.entries(here.tenancy.theirs.id) == []
    assert await here.entries("") == []


async def test_a_change_that_is_undone_leaves_nothing(here: Process) -> None:
    with acting(here.act()), pytest.raises(Conflict):
        await here.store.create_environment(here.ours, "production")
    assert await here.entries() == []


@pytest.mark.parametrize("way", ["transact", "write"])
async def test_what_fails_after_it_was_named_is_forgotten(here: Process, way: str) -> None:
    async def fail() -> None:
        if way == "transact":
            await here.database.transact(_named_in_vain)
            return
        async with here.database.write():
            _named_in_vain(None)

    with acting(here.act()):
        with pytest.raises(LookupError):
            await fail()
        await here.store.create_environment(here.ours, "second")
    (entry,) = await here.entries()
    assert [subject["name"] for subject in subjects(entry)] == ["second"]


def _named_in_vain(_connection: Connection | None) -> None:
    note("environment", "env_0", "in vain")
    raise LookupError


async def test_work_in_another_thread_can_name_what_it_changes(here: Process) -> None:
    table = here.tenancy.tables.environments

    def work(connection: Connection) -> None:
        connection.execute(insert(table).values(id="env_9", organization_id=here.ours, name="nine", created_at=1))
        note("environment", "env_9", "nine", tries=1)

    with acting(here.act()):
        await here.database.transact(work)
    (entry,) = await here.entries()
    assert subjects(entry)[0]["changed"] == {"tries": 1}


async def test_the_entry_is_in_the_transaction_of_the_change(here: Process, elsewhere: Process) -> None:
    """Nobody sees one without the other."""
    with acting(here.act()):
        async with here.database.write() as connection:
            table = here.tenancy.tables.environments
            row = {"id": "env_9", "organization_id": here.ours, "name": "nine", "created_at": 1}
            await connection.execute(insert(table), [row])
            assert await elsewhere.entries() == []
    assert len(await elsewhere.entries()) == 1
    assert (await elsewhere.store.environment(here.ours, "env_9")).name == "nine"


async def test_a_second_transaction_of_an_act_is_written_down_where_it_names_something(here: Process) -> None:
    with acting(here.act()):
        await here.store.create_environment(here.ours, "one")
        await here.database.transact(lambda connection: connection.execute(select(1)).scalar())
        await here.store.create_environment(here.ours, "two")
    assert [subjects(entry)[0]["name"] for entry in await here.entries()] == ["two", "one"]


async def test_the_first_transaction_is_written_down_though_nothing_is_named(here: Process) -> None:
    with acting(here.act("somewhere:write")):
        await here.database.transact(lambda connection: connection.execute(select(1)).scalar())
    (entry,) = await here.entries()
    assert (entry.action, entry.subjects) == ("somewhere:write", "[]")


async def test_what_turns_out_to_be_no_change_leaves_nothing(here: Process) -> None:
    variables = here.tenancy.variables()
    made = await variables.create(here.ours, here.tenancy.here.id, "KEY", "as it is")
    with acting(here.act()):
        await variables.set(here.ours, made.id, "as it is")
        assert await here.entries() == []
        await variables.set(here.ours, made.id, "as it will be")
        await variables.set(here.ours, made.id, "as it will be")
    (entry,) = await here.entries()
    assert subjects(entry)[0]["changed"] == {"version": 2}
    with acting(here.act()):
        note("variable", made.id, "KEY")
        await variables.set(here.ours, made.id, "as it will be")
    assert len(await here.entries()) == 2


async def test_what_is_done_aside_is_no_act(here: Process) -> None:
    with acting(here.act()), aside():
        await here.store.create_environment(here.ours, "aside")
    assert await here.entries() == []


async def test_an_act_that_has_ended_says_nothing_to_those_it_began(here: Process) -> None:
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()
        await here.store.create_environment(here.ours, "later")

    with acting(here.act()):
        begun = asyncio.create_task(later())
        await anyio.wait_all_tasks_blocked()
    go.set()
    await begun
    assert await here.entries() == []


async def test_the_organization_of_what_was_made_where_the_act_has_none(here: Process) -> None:
    with acting(here.act(organization_id="")):
        await here.store.create_environment(here.ours, "ours")
        made = await here.store.create_organization("New")
        concern(made.id)
        await here.store.create_organization("Newer")
    assert [entry.organization_id for entry in await here.entries()] == [here.ours]
    assert [subjects(entry)[0]["name"] for entry in await here.entries("")] == ["New"]
    assert [subjects(entry)[0]["name"] for entry in await here.entries(made.id)] == ["Newer"]


async def test_long_names_and_many_subjects_are_cut(here: Process) -> None:
    with acting(here.act()):
        for number in range(MAX_SUBJECTS + 10):
            note("thing", f"{number}", "n" * 1000, text="x" * 1000)
        await here.store.create_environment(here.ours, "e")
    (entry,) = await here.entries()
    found = subjects(entry)
    assert len(found) == MAX_SUBJECTS
    assert (len(found[0]["name"]), len(found[0]["changed"]["text"])) == (200, 200)


# ---- group commit ------------------------------------------------------------------------------------------------


class Rows:
    """A verb that stores environments, and refuses one name."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.calls: list[list[str]] = []

    def store(self, connection: Connection, names: Sequence[str]) -> list[str]:
        self.calls.append(list(names))
        if "bad" in names:
            raise ValueError("bad")
        table = self._process.tenancy.tables.environments
        rows = [{"id": n, "organization_id": self._process.ours, "name": n, "created_at": 1} for n in names]
        connection.execute(insert(table), rows)
        return [f"stored {name}" for name in names]


async def test_many_items_of_an_act_share_a_transaction_and_an_entry(here: Process) -> None:
    rows, told = Rows(here), list[str]()
    with acting(here.act()):
        note("environments", "", made=50)
        answers = await asyncio.gather(*(here.committer.write(rows.store, f"e{n}", told.append) for n in range(50)))
    assert answers == told == [f"stored e{n}" for n in range(50)]
    assert rows.calls == [[f"e{n}" for n in range(50)]]
    (entry,) = await here.entries()
    assert subjects(entry)[0]["changed"] == {"made": 50}


async def test_those_who_share_a_transaction_have_their_own_entries(here: Process) -> None:
    rows = Rows(here)

    async def one(actor: str, name: str) -> None:
        with acting(here.act(actor=actor)):
            await here.committer.write(rows.store, name)

    await asyncio.gather(one("usr_1", "a"), here.committer.write(rows.store, "nobody's"), one("usr_2", "b"))
    assert sorted(entry.actor_id for entry in await here.entries()) == ["usr_1", "usr_2"]


async def test_a_bad_item_leaves_nothing_and_harms_nobody(here: Process) -> None:
    rows = Rows(here)

    async def one(actor: str, name: str) -> None:
        with acting(here.act(actor=actor)), contextlib.suppress(ValueError):
            await here.committer.write(rows.store, name)

    await asyncio.gather(one("usr_1", "good"), one("usr_2", "bad"), one("usr_3", "better"))
    assert sorted(entry.actor_id for entry in await here.entries()) == ["usr_1", "usr_3"]


async def test_the_task_that_commits_is_of_no_act(here: Process) -> None:
    """It was begun by somebody's act, and goes on with what others hand over while that act lasts."""
    rows = Rows(here)
    with acting(here.act()):
        first = asyncio.create_task(here.committer.write(rows.store, "acted"))
        await anyio.wait_all_tasks_blocked()
        with aside():
            await here.committer.write(rows.store, "not acted")
        await first
    assert len(await here.entries()) == 1


# ---- refusals ----------------------------------------------------------------------------------------------------


async def test_a_refusal_is_written_once_a_minute(here: Process) -> None:
    for path in ("/api/1", "/api/2", "/api/3"):
        await here.audit.log.refused(replace(here.act("keys:write"), path=path), "forbidden")
    await here.audit.log.refused(here.act("keys:write", actor="usr_2"), "forbidden")
    await here.audit.log.refused(here.act("keys:write"), "not_found")
    found = [(entry.outcome, entry.reason, entry.actor_id) for entry in reversed(await here.entries())]
    assert found == [
        ("refused", "forbidden", "usr_1"),
        ("refused", "forbidden", "usr_2"),
        ("refused", "not_found", "usr_1"),
    ]


async def test_what_is_searched_for(here: Process) -> None:
    for name in ('a "quoted" 100%', "b_c", "Größe"):
        with acting(here.act(actor=f"usr_{name[0]}")):
            await here.store.create_environment(here.ours, name)
        here.tenancy.clock.ms += 1000
    quoted, plain, great = reversed(await here.entries())

    async def ids(**wanted: Any) -> list[str]:
        return [entry.id for entry in await here.entries(wanted=Wanted(**wanted))]

    assert await ids(text="100%") == await ids(text='\\"QUOTED') == [quoted.id]
    assert await ids(text="b_c") == [plain.id]
    assert await ids(text="Größe") == [great.id]
    assert await ids(text="a_c") == []
    assert await ids(actor="usr_b") == [plain.id]
    assert await ids(actor="user") == [great.id, plain.id, quoted.id]
    assert await ids(subject_id=subjects(plain)[0]["id"]) == [plain.id]
    assert await ids(subject_id=subjects(plain)[0]["id"], subject_kind="environment") == [plain.id]
    assert await ids(subject_id=subjects(plain)[0]["id"], subject_kind="organization") == []
    assert len(await ids(subject_kind="environment")) == 3
    assert await ids(subject_kind="env") == await ids(subject_id="env_") == await ids(action="none") == []
    assert await ids(since=plain.at) == [great.id, plain.id]
    assert await ids(since=plain.at, until=great.at) == [plain.id]
