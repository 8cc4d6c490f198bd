"""Organizations and environments are renamed and deleted, and a bystander keeps everything."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.tenancy.keys import read_key
from pulse.tenancy.people.teams import TeamDraft, TeamStore
from pulse.tenancy.places.changing import NotEmpty, PlaceStore
from pulse.tenancy.records import ApiKey
from tests.contract.tenancy.conftest import Tenancy


@dataclass
class Shelf:
    """Another noun, which has some things in each environment."""

    has: dict[str, int] = field(default_factory=dict)

    async def count(
        self, _connection: AsyncConnection, _organization_id: str, environment_id: str | None
    ) -> Mapping[str, int]:
        found = self.has.get(environment_id, 0) if environment_id is not None else sum(self.has.values())
        return {"books": found}

    async def remove(self, _connection: AsyncConnection, _organization_id: str, environment_id: str | None) -> None:
        for each in [environment_id] if environment_id is not None else list(self.has):
            self.has.pop(each, None)


def places(tenancy: Tenancy, *shelves: Shelf) -> PlaceStore:
    return PlaceStore(tenancy.database, tenancy.tables, shelves)


async def filled(tenancy: Tenancy) -> tuple[ApiKey, str]:
    """Gives both organizations a key, a source, a variable, a member and a team each; our key and its text."""
    people, users = tenancy.people(), []
    for number, here in enumerate((tenancy.here, tenancy.there)):
        made = await tenancy.store.create_key(here, "ci")
        users.append(made)
        await tenancy.sources().create(here, "hub", "github")
        await tenancy.variables().create(here.organization_id, here.id, "KEY", "value")
        ada = await people.users.create(f"ada-{number}@example.com", None)
        await people.members.add(here.organization_id, ada.id, "Admin")
        draft = TeamDraft("crew", (ada.id,), ((here.id, "User"),))
        await TeamStore(tenancy.database, tenancy.tables, Ids(tenancy.clock), tenancy.clock).create(
            here.organization_id, draft
        )
    return users[0]


async def rows(tenancy: Tenancy) -> dict[str, list[Any]]:
    """All that the tables of tenancy hold."""
    async with tenancy.database.read() as connection:
        return {
            table.name.removeprefix(tenancy.database.prefix): [
                tuple(row) for row in await connection.execute(select(table))
            ]
            for table in tenancy.tables.metadata.sorted_tables
        }


def naming(found: dict[str, list[Any]], *ids: str) -> dict[str, list[Any]]:
    """Those of the rows that name one of these ids."""
    kept = {name: [row for row in each if set(ids) & set(row)] for name, each in found.items()}
    return {name: each for name, each in kept.items() if each}


async def test_an_organization_is_renamed(tenancy: Tenancy) -> None:
    changed = await places(tenancy).rename_organization(tenancy.ours.id, "Ours & Co", expected=1)
    assert changed == replace(tenancy.ours, name="Ours & Co", revision=2)
    assert await tenancy.store.organization("Ours & Co") == changed
    assert await tenancy.store.organization(tenancy.theirs.id) == tenancy.theirs
    with pytest.raises(NotFound):
        await tenancy.store.organization("Ours")


async def test_an_environment_is_renamed(tenancy: Tenancy) -> None:
    place = (tenancy.ours.id, tenancy.here.id)
    changed = await places(tenancy).rename_environment(*place, "live")
    assert changed == replace(tenancy.here, name="live", revision=2)
    assert await tenancy.store.environment(tenancy.ours.id, "live") == changed
    assert await tenancy.store.environments(tenancy.theirs.id) == [tenancy.there]


async def test_a_stale_name_changes_nothing(tenancy: Tenancy) -> None:
    store = places(tenancy)
    await store.rename_environment(tenancy.ours.id, tenancy.here.id, "live", expected=1)
    for expected in (1, 3, -1):
        with pytest.raises(StaleRevision):
            await store.rename_environment(tenancy.ours.id, tenancy.here.id, "other", expected)
    with pytest.raises(StaleRevision):
        await store.rename_organization(tenancy.ours.id, "other", 2)
    assert (await tenancy.store.environment(tenancy.ours.id, tenancy.here.id)).name == "live"


async def test_a_name_is_taken_once(tenancy: Tenancy) -> None:
    await tenancy.store.create_environment(tenancy.ours.id, "staging")
    with pytest.raises(Conflict, match="'Theirs'"):
        await places(tenancy).rename_organization(tenancy.ours.id, "Theirs")
    with pytest.raises(Conflict, match="'staging'"):
        await places(tenancy).rename_environment(tenancy.ours.id, tenancy.here.id, "staging")
    # Another organization's names are free.
    await tenancy.store.create_environment(tenancy.theirs.id, "theirs")
    assert (await places(tenancy).rename_environment(tenancy.ours.id, tenancy.here.id, "theirs")).name == "theirs"


async def test_no_name_has_the_form_of_an_id(tenancy: Tenancy) -> None:
    for name in (tenancy.theirs.id, tenancy.there.id):
        with pytest.raises(InvalidFields):
            await places(tenancy).rename_organization(tenancy.ours.id, name)
        with pytest.raises(InvalidFields):
            await places(tenancy).rename_environment(tenancy.ours.id, tenancy.here.id, name)


async def test_what_is_anothers_is_not_there(tenancy: Tenancy) -> None:
    before, store = await rows(tenancy), places(tenancy)
    for organization_id, environment_id in ((tenancy.theirs.id, tenancy.here.id), (tenancy.ours.id, tenancy.there.id)):
        with pytest.raises(NotFound):
            await store.rename_environment(organization_id, environment_id, "x")
        with pytest.raises(NotFound):
            await store.delete_environment(organization_id, environment_id, force=True)
    with pytest.raises(NotFound):
        await store.delete_organization("org_none", "Ours", force=True)
    assert await rows(tenancy) == before


async def test_an_empty_environment_is_deleted_with_its_ways_in(tenancy: Tenancy) -> None:
    staging = await tenancy.store.create_environment(tenancy.ours.id, "staging")
    _, key = await tenancy.store.create_key(staging, "ci")
    source = await tenancy.sources().create(staging, "hub", "github")
    presented = read_key(key)
    assert presented is not None
    await places(tenancy).delete_environment(tenancy.ours.id, staging.id)
    assert await tenancy.store.find_key(presented) is None
    assert await tenancy.sources().find(source.id) is None
    assert await tenancy.store.environments(tenancy.ours.id) == [tenancy.here]
    assert naming(await rows(tenancy), staging.id) == {}


async def test_an_environment_that_is_not_empty_says_what_it_has(tenancy: Tenancy) -> None:
    await filled(tenancy)
    shelf, before = Shelf({tenancy.here.id: 1_200}), await rows(tenancy)
    with pytest.raises(NotEmpty, match="1 variables, 1,200 books"):
        await places(tenancy, shelf).delete_environment(tenancy.ours.id, tenancy.here.id)
    with pytest.raises(NotEmpty, match="2 messages that have no outcome"):
        await places(tenancy, shelf).delete_environment(tenancy.ours.id, tenancy.here.id, waiting=2, force=True)
    assert (await rows(tenancy), shelf.has) == (before, {tenancy.here.id: 1_200})


async def test_an_environment_is_deleted_with_all_that_is_in_it(tenancy: Tenancy) -> None:
    _, text = await filled(tenancy)
    shelf = Shelf({tenancy.here.id: 3, tenancy.there.id: 4})
    theirs = naming(await rows(tenancy), tenancy.theirs.id, tenancy.there.id)
    await places(tenancy, shelf).delete_environment(tenancy.ours.id, tenancy.here.id, force=True)
    found, presented = await rows(tenancy), read_key(text)
    assert naming(found, tenancy.here.id) == {}
    assert presented is not None
    assert await tenancy.store.find_key(presented) is None
    assert naming(found, tenancy.theirs.id, tenancy.there.id) == theirs
    assert (len(found["variable_values"]), len(found["teams"]), shelf.has) == (1, 2, {tenancy.there.id: 4})
    assert await tenancy.their_values() == {"KEY": "value"}


async def test_the_name_is_repeated_to_delete_an_organization(tenancy: Tenancy) -> None:
    for confirm in ("", "ours", "Theirs", "Ours ", tenancy.ours.id):
        with pytest.raises(InvalidFields) as told:
            await places(tenancy).delete_organization(tenancy.ours.id, confirm, force=True)
        assert told.value.faults[0].path == "confirm"
    assert len(await tenancy.store.organizations()) == 2


async def test_an_organization_that_is_not_empty_says_what_it_has(tenancy: Tenancy) -> None:
    await filled(tenancy)
    (ada,) = await tenancy.people().members.members(tenancy.ours.id)
    with pytest.raises(NotEmpty, match="1 environments, 1 other members"):
        await places(tenancy).delete_organization(tenancy.ours.id, "Ours")
    await places(tenancy).delete_environment(tenancy.ours.id, tenancy.here.id, force=True)
    with pytest.raises(NotEmpty, match="1 other members"):
        await places(tenancy).delete_organization(tenancy.ours.id, "Ours")
    # Whoever is the last member may be the one who asks.
    assert await places(tenancy).delete_organization(tenancy.ours.id, "Ours", asker=ada.user_id) == []
    assert await tenancy.store.organizations() == [tenancy.theirs]


async def test_an_organization_is_deleted_with_all_that_it_has(tenancy: Tenancy) -> None:
    await filled(tenancy)
    shelf = Shelf({tenancy.here.id: 3})
    theirs = naming(await rows(tenancy), tenancy.theirs.id, tenancy.there.id)
    with pytest.raises(NotEmpty, match="no outcome"):
        await places(tenancy, shelf).delete_organization(tenancy.ours.id, "Ours", waiting=1, force=True)
    gone = await places(tenancy, shelf).delete_organization(tenancy.ours.id, "Ours", force=True)
    found = await rows(tenancy)
    assert (gone, shelf.has) == ([tenancy.here], {})
    assert naming(found, tenancy.ours.id, tenancy.here.id) == {}
    assert naming(found, tenancy.theirs.id, tenancy.there.id) == theirs
    # Users belong to the installation; the data key of the other one is there still.
    assert (len(found["users"]), len(found["data_keys"]), len(found["team_members"])) == (2, 1, 1)
    assert await tenancy.their_values() == {"KEY": "value"}
