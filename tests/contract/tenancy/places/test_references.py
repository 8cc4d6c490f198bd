"""What vanishes while something is made that refers to it: the error names it, and says of no name that it is taken."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pulse.core.errors import Conflict, NotFound
from pulse.core.ids import Ids
from pulse.storage.narrowing import narrowed
from pulse.tenancy.people.teams import TeamDraft, TeamStore
from tests.contract.tenancy.conftest import Tenancy
from tests.contract.tenancy.places.deleting import blocked_or_done, deleting

Making = Callable[[Tenancy], Coroutine[Any, Any, Any]]


def teams(tenancy: Tenancy) -> TeamStore:
    return TeamStore(tenancy.database, tenancy.tables, Ids(tenancy.clock), tenancy.clock)


def crew(tenancy: Tenancy) -> TeamDraft:
    return TeamDraft("crew", (), ((tenancy.here.id, "User"),))


IN_AN_ENVIRONMENT: dict[str, Making] = {
    "key": lambda tenancy: tenancy.store.create_key(tenancy.here, "ci"),
    "source": lambda tenancy: tenancy.sources().create(tenancy.here, "hub", "github"),
}


@pytest.mark.parametrize("kind", IN_AN_ENVIRONMENT)
async def test_an_environment_that_is_being_deleted(tenancy: Tenancy, kind: str) -> None:
    async with deleting(tenancy.database, (tenancy.ours.id, tenancy.here.id)) as deletion:
        making = asyncio.create_task(IN_AN_ENVIRONMENT[kind](tenancy))
        await blocked_or_done(tenancy.database, making)
    await deletion
    with pytest.raises(NotFound, match=f"no environment '{tenancy.here.id}' any more"):
        await making


async def test_an_organization_that_is_being_deleted(tenancy: Tenancy) -> None:
    async with deleting(tenancy.database, (tenancy.ours.id, tenancy.here.id), whole="Ours") as deletion:
        making = asyncio.create_task(tenancy.store.create_environment(tenancy.ours.id, "staging"))
        await blocked_or_done(tenancy.database, making)
    await deletion
    with pytest.raises(NotFound, match=f"no organization '{tenancy.ours.id}' any more"):
        await making


async def test_a_team_for_an_environment_that_is_being_deleted(tenancy: Tenancy) -> None:
    """It was there when the team was checked: whoever deletes it came in between."""
    store = teams(tenancy)

    async def unchecked(*_given: Any) -> None:
        """It has just been looked for."""

    store._check = unchecked  # type: ignore[method-assign, assignment]
    async with deleting(tenancy.database, (tenancy.ours.id, tenancy.here.id)) as deletion:
        making = asyncio.create_task(store.create(tenancy.ours.id, crew(tenancy)))
        await blocked_or_done(tenancy.database, making)
    await deletion
    with pytest.raises(NotFound, match=f"no environment '{tenancy.here.id}' any more"):
        await making


async def test_a_member_who_leaves_while_a_team_is_made_of_them(tenancy: Tenancy) -> None:
    """What is checked is not what is there any more when it is written."""
    people, store = tenancy.people(), teams(tenancy)
    ada = await people.users.create("ada@example.com", None)
    team = await store.create(tenancy.ours.id, crew(tenancy))

    async def unchecked(*_given: Any) -> None:
        """The member has just left."""

    store._check = unchecked  # type: ignore[method-assign, assignment]
    draft = TeamDraft("other", (ada.id,))
    for changing in (store.create(tenancy.ours.id, draft), store.change(tenancy.ours.id, team.id, draft)):
        with pytest.raises(NotFound, match=f"no member '{ada.id}' any more"):
            await changing
    assert await store.team(tenancy.ours.id, team.id) == team


async def test_a_user_who_is_deleted_while_they_become_a_member(tenancy: Tenancy) -> None:
    members = tenancy.people().members
    ada = await tenancy.people().users.create("ada@example.com", None)
    for organization_id in ("", tenancy.ours.id):
        with narrowed(organization_id), pytest.raises(NotFound, match="no user 'usr_none' any more"):
            await members.add(tenancy.ours.id, "usr_none", "User")
    with pytest.raises(NotFound, match="no organization 'org_none' any more"):
        await members.add("org_none", ada.id, "User")


async def test_what_is_taken_is_still_said_to_be(tenancy: Tenancy) -> None:
    people, store = tenancy.people(), teams(tenancy)
    ada = await people.users.create("ada@example.com", None)
    await people.members.add(tenancy.ours.id, ada.id, "User")
    await store.create(tenancy.ours.id, crew(tenancy))
    for again in (
        people.members.add(tenancy.ours.id, ada.id, "User"),
        store.create(tenancy.ours.id, crew(tenancy)),
        tenancy.store.create_organization("Ours"),
        tenancy.store.create_environment(tenancy.ours.id, "production"),
    ):
        with pytest.raises(Conflict):
            await again
