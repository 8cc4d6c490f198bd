"""Teams and what they give; the other organization has the same user, under the same names, with other rights."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound, StaleRevision
from pulse.core.ids import Ids
from pulse.tenancy.access import Principal
from pulse.tenancy.people.records import Reach, User
from pulse.tenancy.people.teams import Team, TeamDraft, TeamStore
from pulse.tenancy.places.lists import TenancyLists
from pulse.tenancy.records import Environment
from pulse.tenancy.roles import Role
from tests.contract.tenancy.conftest import Tenancy


def teams(tenancy: Tenancy) -> TeamStore:
    return TeamStore(tenancy.database, tenancy.tables, Ids(tenancy.clock), tenancy.clock)


async def member(
    tenancy: Tenancy, role: Role = "Guest", environments: Reach = "teams", email: str = "ada@example.com"
) -> User:
    """A new user who is a member of ours."""
    user = await tenancy.people().users.create(email, None)
    await tenancy.people().members.add(tenancy.ours.id, user.id, role)
    await tenancy.people().members.change(tenancy.ours.id, user.id, role, environments)
    return user


async def team(tenancy: Tenancy, name: str, members: Sequence[User], *rights: tuple[Environment, Role]) -> Team:
    draft = TeamDraft(name, tuple(user.id for user in members), tuple((place.id, role) for place, role in rights))
    return await teams(tenancy).create(tenancy.ours.id, draft)


async def roles(tenancy: Tenancy, user: User) -> dict[str, Role]:
    """What the user is in our environments, by name."""
    standings = await teams(tenancy).standings(user.id)
    found = [each.environments for each in standings if each.organization.id == tenancy.ours.id]
    return {place.name: role for place, role in found[0]} if found else {}


async def shown(tenancy: Tenancy, user: User) -> list[str]:
    """The names of our environments that the user is shown."""
    lists = TenancyLists(tenancy.database, tenancy.tables)
    return [each.name for each in (await lists.environments(tenancy.ours.id, visible_to=user.id)).rows]


async def test_a_team_is_kept(tenancy: Tenancy) -> None:
    ada, bob = await member(tenancy), await member(tenancy, email="bob@example.com")
    staging = await tenancy.store.create_environment(tenancy.ours.id, "staging")
    made = await team(tenancy, "crew", [bob, ada], (staging, "User"), (tenancy.here, "Guest"))
    members, rights = tuple(sorted((ada.id, bob.id))), ((tenancy.here.id, "Guest"), (staging.id, "User"))
    assert (made.members, made.rights) == (members, rights)
    assert await teams(tenancy).team(tenancy.ours.id, made.id) == made
    tenancy.clock.ms += 5
    changed = await teams(tenancy).change(tenancy.ours.id, made.id, TeamDraft("crew 2", (ada.id,)), 1)
    assert changed == replace(
        made, name="crew 2", members=(ada.id,), rights=(), revision=2, updated_at=made.updated_at + 5
    )
    assert await teams(tenancy).team(tenancy.ours.id, made.id) == changed
    await teams(tenancy).delete(tenancy.ours.id, made.id)
    with pytest.raises(NotFound):
        await teams(tenancy).team(tenancy.ours.id, made.id)


async def test_the_name_of_a_team_is_taken_once(tenancy: Tenancy) -> None:
    crew, other = await team(tenancy, "crew", []), await team(tenancy, "other", [])
    with pytest.raises(Conflict, match="'crew'"):
        await team(tenancy, "crew", [])
    with pytest.raises(Conflict, match="'crew'"):
        await teams(tenancy).change(tenancy.ours.id, other.id, TeamDraft("crew"))
    assert (await teams(tenancy).create(tenancy.theirs.id, TeamDraft("crew"))).organization_id == tenancy.theirs.id
    assert await teams(tenancy).team(tenancy.ours.id, crew.id) == crew


async def test_a_team_has_nothing_of_another_organization(tenancy: Tenancy) -> None:
    ada = await member(tenancy)
    eve = await tenancy.people().users.create("eve@example.com", None)
    await tenancy.people().members.add(tenancy.theirs.id, eve.id, "Admin")
    draft = TeamDraft(
        "crew",
        (ada.id, eve.id, "usr_none", ada.id),
        ((tenancy.there.id, "User"), (tenancy.here.id, "User"), (tenancy.here.id, "Guest")),
    )
    with pytest.raises(InvalidFields) as told:
        await teams(tenancy).create(tenancy.ours.id, draft)
    assert sorted((fault.path, fault.code) for fault in told.value.faults) == [
        ("memberIds.1", "unknown"),
        ("memberIds.2", "unknown"),
        ("memberIds.3", "twice"),
        ("rights.0.environmentId", "unknown"),
        ("rights.2.environmentId", "twice"),
    ]
    crew = await team(tenancy, "crew", [ada])
    with pytest.raises(InvalidFields):
        await teams(tenancy).change(tenancy.ours.id, crew.id, draft)
    assert await teams(tenancy).team(tenancy.ours.id, crew.id) == crew


async def test_a_team_of_another_organization_is_not_there(tenancy: Tenancy) -> None:
    crew = await team(tenancy, "crew", [await member(tenancy)], (tenancy.here, "User"))
    for organization_id, team_id in ((tenancy.theirs.id, crew.id), (tenancy.ours.id, "team_none")):
        with pytest.raises(NotFound):
            await teams(tenancy).team(organization_id, team_id)
        with pytest.raises(NotFound):
            await teams(tenancy).change(organization_id, team_id, TeamDraft("x"))
        with pytest.raises(NotFound):
            await teams(tenancy).delete(organization_id, team_id)
    assert await teams(tenancy).team(tenancy.ours.id, crew.id) == crew


async def test_a_stale_revision_changes_nothing(tenancy: Tenancy) -> None:
    crew = await team(tenancy, "crew", [])
    changes = [teams(tenancy).change(tenancy.ours.id, crew.id, TeamDraft(name), 1) for name in ("a", "b")]
    found = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(each) for each in found if isinstance(each, Exception)] == [StaleRevision]
    assert (await teams(tenancy).team(tenancy.ours.id, crew.id)).revision == 2


async def test_the_role_of_a_membership_holds_everywhere_unless_it_says_otherwise(tenancy: Tenancy) -> None:
    await tenancy.store.create_environment(tenancy.ours.id, "staging")
    ada = await member(tenancy, "User", "all")
    assert await roles(tenancy, ada) == {"production": "User", "staging": "User"}
    assert await shown(tenancy, ada) == ["production", "staging"]
    await tenancy.people().members.change(tenancy.ours.id, ada.id, "User", "teams")
    assert (await roles(tenancy, ada), await shown(tenancy, ada)) == ({}, [])
    # What is not said stays; an Admin's role holds everywhere.
    assert (await tenancy.people().members.change(tenancy.ours.id, ada.id, "Guest")).environments == "teams"
    assert (await tenancy.people().members.change(tenancy.ours.id, ada.id, "Admin")).environments == "all"
    assert await roles(tenancy, ada) == {"production": "Admin", "staging": "Admin"}


async def test_the_highest_role_counts(tenancy: Tenancy) -> None:
    staging = await tenancy.store.create_environment(tenancy.ours.id, "staging")
    ada, bob = await member(tenancy), await member(tenancy, "User", "all", "bob@example.com")
    await team(tenancy, "a", [ada, bob], (staging, "Guest"), (tenancy.here, "Admin"))
    await team(tenancy, "b", [ada, bob], (staging, "User"))
    await team(tenancy, "c", [ada], (staging, "Guest"))
    await team(tenancy, "of nobody", [], (staging, "Admin"))
    assert await roles(tenancy, ada) == {"production": "Admin", "staging": "User"}
    assert await roles(tenancy, bob) == {"production": "Admin", "staging": "User"}
    assert await shown(tenancy, ada) == ["production", "staging"]


async def test_whoever_is_in_two_organizations_has_in_each_what_is_given_there(tenancy: Tenancy) -> None:
    ada = await member(tenancy)
    await tenancy.people().members.add(tenancy.theirs.id, ada.id, "Admin")
    standings = {each.organization.id: each for each in await teams(tenancy).standings(ada.id)}
    assert (standings[tenancy.ours.id].role, list(standings[tenancy.ours.id].environments)) == ("Guest", [])
    assert list(standings[tenancy.theirs.id].environments) == [(tenancy.there, "Admin")]
    crew = await teams(tenancy).create(tenancy.theirs.id, TeamDraft("x", (ada.id,), ((tenancy.there.id, "User"),)))
    assert crew.members == (ada.id,)
    assert (await roles(tenancy, ada), await shown(tenancy, ada)) == ({}, [])


async def test_whoever_leaves_the_organization_leaves_its_teams(tenancy: Tenancy) -> None:
    ada = await member(tenancy)
    crew = await team(tenancy, "crew", [ada], (tenancy.here, "Admin"))
    await tenancy.people().members.remove(tenancy.ours.id, ada.id)
    assert await teams(tenancy).standings(ada.id) == []
    assert (await teams(tenancy).team(tenancy.ours.id, crew.id)).members == ()
    await tenancy.people().members.add(tenancy.ours.id, ada.id, "Guest")
    await tenancy.people().members.change(tenancy.ours.id, ada.id, "Guest", "teams")
    assert await roles(tenancy, ada) == {}


async def within(
    tenancy: Tenancy, user: User, organization: str | None = None, environment: str | None = None, *, anywhere: bool
) -> Principal:
    principal = Principal("", "", "session", user_id=user.id)
    return await tenancy.people().within(principal, organization, environment, anywhere=anywhere)


async def test_a_right_on_an_environment_is_none_on_the_organization(tenancy: Tenancy) -> None:
    ada = await member(tenancy)
    await team(tenancy, "crew", [ada], (tenancy.here, "Admin"))
    assert (await within(tenancy, ada, anywhere=False)).role == "Admin"
    for environment in (None, tenancy.here.id, "production"):
        assert (await within(tenancy, ada, environment=environment, anywhere=True)).role == "Guest"


async def test_an_environment_without_a_right_is_not_there(tenancy: Tenancy) -> None:
    staging, ada = await tenancy.store.create_environment(tenancy.ours.id, "staging"), await member(tenancy)
    crew = await team(tenancy, "crew", [ada], (tenancy.here, "User"))
    # The only one that there is for them need not be named.
    assert (await within(tenancy, ada, anywhere=False)).environment_id == tenancy.here.id
    for name in (staging.id, "staging", tenancy.there.id):
        for anywhere in (True, False):
            with pytest.raises(NotFound):
                await within(tenancy, ada, environment=name, anywhere=anywhere)
    await teams(tenancy).delete(tenancy.ours.id, crew.id)
    with pytest.raises(NotFound):
        await within(tenancy, ada, environment=tenancy.here.id, anywhere=False)
    assert (await within(tenancy, ada, anywhere=True)).environment_id == ""
