"""Legacy models: sealed, never shown, scoped, refused while in use; a second tenant has its own under one name."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select, update

from pulse.core.errors import Conflict, InvalidFields, Misconfigured, NotFound, PulseError, StaleRevision
from pulse.core.ids import is_id
from pulse.prompts.kept import KeptModels
from pulse.prompts.records import SYSTEM, LegacyAccess, LegacyDraft, LegacyModel, Part
from pulse.prompts.secrets import Secrets
from pulse.tenancy.secrets.vault import new_master_key
from tests.contract.prompts.conftest import CANARY, OLDER, Desk

CLIENT = Secrets(access_key="client", secret_key=CANARY)


async def secrets(desk: Desk, wanted: str) -> Secrets:
    return (await desk.legacy.access_of(desk.ours.id, wanted)).secrets


@pytest.fixture(autouse=True)
async def foreign(desk: Desk) -> AsyncIterator[LegacyModel]:
    """What the other organization has, under the name that tests use; it must stay as it is."""
    made = await desk.older(desk.theirs.id, secrets=Secrets(api_key="theirs"))
    yield made
    assert await desk.legacy.list(desk.theirs.id) == ([made], 1)
    assert (await desk.legacy.access_of(desk.theirs.id, "Older")).secrets == Secrets(api_key="theirs")


async def refused(attempt: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFields) as error:
        await attempt
    assert CANARY not in f"{error.value!r} {error.value} {error.value.faults}"
    return [(fault.path, fault.code) for fault in error.value.faults]


async def test_a_model_is_kept_and_shown_without_its_secrets(desk: Desk) -> None:
    made, now = await desk.older(), desk.clock.now_ms()
    wanted = LegacyModel(made.id, desk.ours.id, "Older", OLDER.url, True, False, 1, now, now)
    assert (made, made.scope) == (wanted, "organization")
    assert is_id(made.id, "mdl")
    assert await desk.legacy.get(desk.ours.id, made.id) == made
    for wanted_by in (made.id, "Older"):
        found = await desk.legacy.access_of(desk.ours.id, wanted_by)
        assert found == LegacyAccess("Older", OLDER.url, Secrets(api_key=CANARY))
    keys = await desk.older(name="Keys", secrets=CLIENT)
    assert (keys.has_token, keys.has_keys) == (False, True)
    assert await secrets(desk, "Keys") == CLIENT


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3:8080/ask", "https://x.example/v1?api-version=2", "bedrock://amazon.nova-pro-v1:0"]
)
async def test_addresses_that_can_be(desk: Desk, url: str) -> None:
    assert (await desk.older(url=url)).url == url


async def test_bedrock_needs_no_secret(desk: Desk) -> None:
    made = await desk.older(url="bedrock://amazon.nova-pro-v1:0", secrets=Secrets())
    assert (made.has_token, made.has_keys) == (False, False)


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        ({"name": " "}, [("name", "invalid_length")]),
        ({"name": "a\0b"}, [("name", "invalid_text")]),
        ({"url": ""}, [("modelUrl", "invalid_url")]),
        ({"url": "models.example.com"}, [("modelUrl", "invalid_url")]),
        ({"url": "ftp://x.example"}, [("modelUrl", "invalid_url")]),
        ({"url": f"https://user:{CANARY}@x.example"}, [("modelUrl", "invalid_url")]),
        ({"url": "bedrock://"}, [("modelUrl", "invalid_url")]),
        ({"url": "bedrock://a b"}, [("modelUrl", "invalid_url")]),
        ({"url": "bedrock://nova", "secrets": CLIENT}, [("clientKey", "not_allowed")]),
        ({"secrets": Secrets()}, [("token", "missing")]),
        ({"secrets": Secrets(api_key="")}, [("token", "missing")]),
        ({"secrets": Secrets(access_key="client")}, [("secretKey", "missing")]),
        ({"secrets": Secrets(secret_key=CANARY)}, [("clientKey", "missing")]),
        ({"secrets": replace(CLIENT, api_key=CANARY)}, [("token", "both_kinds")]),
        ({"secrets": Secrets(api_key=CANARY, secret_key=CANARY)}, [("token", "both_kinds")]),
        ({"secrets": Secrets(api_key=f"{CANARY}\nX-Evil: 1")}, [("token", "invalid_secret")]),
        ({"secrets": Secrets(access_key="é", secret_key="x" * 65_537)}, [("clientKey", ""), ("secretKey", "")]),
    ],
)
async def test_every_fault_has_its_path(desk: Desk, more: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    found = await refused(desk.older(**more))
    assert found == [(path, code or "invalid_secret") for path, code in faults]
    assert await desk.legacy.list(desk.ours.id) == ([], 0)


async def test_a_change_keeps_the_secrets_that_are_not_given(desk: Desk) -> None:
    made = await desk.older()
    desk.clock.ms += 5
    renamed = await desk.legacy.update(desk.ours.id, made.id, LegacyDraft("New", OLDER.url), 1)
    assert renamed == replace(made, name="New", revision=2, updated_at=made.updated_at + 5)
    assert await desk.legacy.get(desk.ours.id, made.id) == renamed
    assert await secrets(desk, "New") == Secrets(api_key=CANARY)
    assert await refused(
        desk.legacy.update(desk.ours.id, made.id, LegacyDraft("New", OLDER.url, Secrets(api_key="")))
    ) == [("token", "missing")]
    with pytest.raises(StaleRevision):
        await desk.legacy.update(desk.ours.id, made.id, OLDER, 1)


async def test_the_kind_that_is_given_replaces_the_other(desk: Desk) -> None:
    made = await desk.older()
    keys = await desk.legacy.update(desk.ours.id, made.id, LegacyDraft("Older", OLDER.url, CLIENT))
    assert (keys.has_token, keys.has_keys, await secrets(desk, made.id)) == (False, True, CLIENT)
    rotated = LegacyDraft("Older", OLDER.url, Secrets(secret_key="second"))
    await desk.legacy.update(desk.ours.id, made.id, rotated)
    assert await secrets(desk, made.id) == Secrets(access_key="client", secret_key="second")
    token = await desk.legacy.update(desk.ours.id, made.id, OLDER)
    assert (token.has_token, token.has_keys, await secrets(desk, made.id)) == (True, False, OLDER.secrets)


async def test_a_secret_does_not_follow_to_another_address(desk: Desk) -> None:
    """Who may change a model, but does not know its token, cannot have it sent to a server of theirs."""
    token, keys = await desk.older(), await desk.older(name="Keys", secrets=CLIENT)
    for made, given in ((token, Secrets()), (keys, Secrets()), (keys, Secrets(secret_key="known"))):
        draft = LegacyDraft(made.name, "https://thief.example", given)
        attempt = desk.legacy.update(desk.ours.id, made.id, draft)
        assert await refused(attempt) == [("modelUrl", "secret_needed")]
    for given in (Secrets(api_key="known"), Secrets(access_key="a", secret_key="b")):
        for made in (token, keys):
            moved = LegacyDraft(made.name, f"https://{given.api_key or 'keys'}.example", given)
            await desk.legacy.update(desk.ours.id, made.id, moved)
            assert await secrets(desk, made.id) == given
    dropped = LegacyDraft("Keys", "bedrock://amazon.nova-pro-v1:0", Secrets(access_key="", secret_key=""))
    assert not (await desk.legacy.update(desk.ours.id, keys.id, dropped)).has_keys


async def test_no_secret_shows_anywhere(desk: Desk) -> None:
    """Not in a record, a draft, an access or a list; not in the database; not in an error."""
    made = await desk.older()
    shown = [OLDER, made, await desk.legacy.access_of(desk.ours.id, made.id), await desk.legacy.list(desk.ours.id)]
    with pytest.raises(PulseError) as refused:
        await desk.older()
    shown.append((repr(refused.value), str(refused.value), refused.value.details))
    assert CANARY not in " ".join(f"{each!r} {each}" for each in shown)
    async with desk.database.read() as connection:
        rows = (await connection.execute(desk.tables.legacy.select())).all()
    written = str(rows).encode() + b"".join(bytes(cell) for row in rows for cell in row if isinstance(cell, bytes))
    assert OLDER.url.encode() in written
    assert not re.search(CANARY.encode(), written)


async def test_a_secret_that_was_moved_cannot_be_read(desk: Desk, foreign: LegacyModel) -> None:
    """To another model, another version, another organization, and not from a credential either."""
    made, other, credential = await desk.older(), await desk.older(name="Other"), await desk.credential()
    table = desk.tables.legacy

    async def put(value: bytes, version: int) -> None:
        async with desk.database.write() as connection:
            values = {"sealed": value, "secret_version": version}
            await connection.execute(update(table).where(table.c.id == made.id).values(values))

    async with desk.database.read() as connection:
        sealed = {row.id: bytes(row.sealed) for row in await connection.execute(select(table.c.id, table.c.sealed))}
        of_credentials = desk.tables.credentials.c
        query = select(of_credentials.sealed).where(of_credentials.id == credential.id)
        foreign_kind = bytes((await connection.execute(query)).scalar_one())
    for wrong, version in ((sealed[other.id], 1), (sealed[foreign.id], 1), (foreign_kind, 1), (sealed[made.id], 2)):
        await put(wrong, version)
        with pytest.raises(Misconfigured):
            await secrets(desk, made.id)
    await put(sealed[made.id], 1)
    assert await secrets(desk, made.id) == OLDER.secrets


async def test_another_master_key_reads_nothing_and_an_old_one_still_does(desk: Desk) -> None:
    made, shared, new = await desk.older(), await desk.older(SYSTEM, name="Shared"), new_master_key()
    for each in (made, shared):
        with pytest.raises(Misconfigured):
            await desk.legacy_under(new).access_of(desk.ours.id, each.id)
        found = await desk.legacy_under(new, desk.master_key).access_of(desk.ours.id, each.id)
        assert found.secrets == OLDER.secrets


async def test_the_installations_models_are_seen_and_used_but_not_changed(desk: Desk) -> None:
    shared = await desk.older(SYSTEM)
    assert (shared.scope, shared.organization_id) == ("system", SYSTEM)
    assert await desk.legacy.get(desk.ours.id, shared.id) == shared
    assert await secrets(desk, "Older") == OLDER.secrets
    for attempt in (
        desk.legacy.update(desk.ours.id, shared.id, OLDER),
        desk.legacy.delete(desk.ours.id, shared.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    own = await desk.older(secrets=CLIENT)
    assert await secrets(desk, "Older") == CLIENT
    assert await secrets(desk, shared.id) == OLDER.secrets
    await desk.legacy.delete(desk.ours.id, own.id)
    assert await desk.legacy.get(SYSTEM, shared.id) == shared


async def test_lists_take_the_documented_filters(desk: Desk) -> None:
    shared, first, second = await desk.older(SYSTEM), await desk.older(), await desk.older(name="Second")
    store, ours = desk.legacy, desk.ours.id
    assert await store.list(ours) == ([first, second], 2)
    assert await store.list(ours, include_system=True) == ([shared, first, second], 3)
    assert await store.list(ours, scope="system") == ([shared], 1)
    assert await store.list(ours, scope="organization", include_system=True) == ([first, second], 2)
    assert await store.list(ours, include_system=True, part=Part(1, 1)) == ([first], 3)
    assert await store.list(SYSTEM) == ([shared], 1)
    assert await store.list("org_none") == ([], 0)


async def test_nobody_sees_changes_or_uses_what_is_anothers(desk: Desk, foreign: LegacyModel) -> None:
    mine, store = await desk.older(), desk.legacy
    for organization_id, model_id in (
        (desk.ours.id, foreign.id),
        (desk.theirs.id, mine.id),
        (SYSTEM, mine.id),
        (desk.ours.id, "mdl_none"),
    ):
        for attempt in (
            store.get(organization_id, model_id),
            store.update(organization_id, model_id, OLDER),
            store.delete(organization_id, model_id),
            store.access_of(organization_id, model_id),
        ):
            with pytest.raises(NotFound):
                await attempt
    with pytest.raises(NotFound):
        await store.create("org_none", OLDER)
    await store.delete(desk.ours.id, mine.id)
    with pytest.raises(NotFound):
        await store.access_of(desk.ours.id, "Older")


async def test_a_name_is_taken_once_in_an_organization(desk: Desk) -> None:
    await desk.older()
    other = await desk.older(name="Other")
    for attempt in (desk.older(), desk.legacy.update(desk.ours.id, other.id, OLDER)):
        with pytest.raises(Conflict, match="'Older' already"):
            await attempt
    assert await desk.legacy.get(desk.ours.id, other.id) == other


@dataclass
class Users:
    """Something that uses these models of these organizations."""

    names: dict[tuple[str, str], list[str]]

    async def uses_of(self, organization_id: str, model_id: str) -> list[str]:
        return self.names.get((organization_id, model_id), [])


async def test_a_model_in_use_is_not_deleted(desk: Desk, foreign: LegacyModel) -> None:
    place = (desk.ours.id, (await desk.older()).id)
    users = Users({place: ["A", "B", "C", "D"], (desk.ours.id, foreign.id): ["Ours"]})
    store = desk.legacy_under(desk.master_key, users=[users])
    with pytest.raises(Conflict, match="legacy model is used by 'A', 'B', 'C' and 1 more"):
        await store.delete(*place)
    with pytest.raises(NotFound):
        await store.delete(desk.ours.id, foreign.id)
    users.names.clear()
    await store.delete(*place)
    with pytest.raises(NotFound):
        await store.get(*place)


async def test_changes_made_at_once_come_one_after_another(desk: Desk) -> None:
    made = await desk.older()
    drafts = [replace(OLDER, secrets=Secrets(api_key=f"token-{number}")) for number in range(5)]
    await asyncio.gather(*(desk.legacy.update(desk.ours.id, made.id, draft) for draft in drafts))
    assert (await desk.legacy.get(desk.ours.id, made.id)).revision == 6
    assert (await secrets(desk, made.id)).api_key in {f"token-{number}" for number in range(5)}


async def test_a_configuration_goes_before_a_legacy_model_of_that_name(desk: Desk) -> None:
    kept = KeptModels(desk.configurations, desk.legacy, seconds=60)
    shared = await desk.older(SYSTEM, name="Model")
    assert await kept.choose(desk.ours.id, "Model") == LegacyAccess("Model", OLDER.url, OLDER.secrets)
    made = await desk.configuration()
    kept.forget(desk.ours.id, "")
    assert await kept.choose(desk.ours.id, "Model") == made.id
    assert isinstance(await kept.choose(desk.ours.id, shared.id), LegacyAccess)
    with pytest.raises(NotFound, match="no model 'Nobody'"):
        await kept.choose(desk.ours.id, "Nobody")
