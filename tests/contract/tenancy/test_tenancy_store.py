"""Organizations, environments and keys: found by those they belong to, on both databases."""

import asyncio
from dataclasses import replace

import pytest

from pulse.core.errors import Conflict, InvalidFields, NotFound
from pulse.tenancy.keys import PresentedKey, read_key
from pulse.tenancy.store import LATEST_MS
from tests.contract.tenancy.conftest import Tenancy


def presented(text: str) -> PresentedKey:
    found = read_key(text)
    assert found is not None
    return found


async def test_an_organization_is_found_by_id_and_name(tenancy: Tenancy) -> None:
    assert await tenancy.store.organization(tenancy.ours.id) == tenancy.ours
    assert await tenancy.store.organization("Ours") == tenancy.ours
    assert await tenancy.store.organizations() == [tenancy.ours, tenancy.theirs]
    for unknown in ("ours", "org_unknown", ""):
        with pytest.raises(NotFound):
            await tenancy.store.organization(unknown)


async def test_a_name_is_taken_once(tenancy: Tenancy) -> None:
    with pytest.raises(Conflict):
        await tenancy.store.create_organization("Ours")
    with pytest.raises(Conflict):
        await tenancy.store.create_environment(tenancy.ours.id, "production")
    assert len(await tenancy.store.organizations()) == 2
    assert await tenancy.store.environments(tenancy.ours.id) == [tenancy.here]


async def test_of_two_who_want_one_name_one_gets_it(tenancy: Tenancy) -> None:
    wanted = [tenancy.store.create_organization("New") for _ in range(4)]
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Conflict", "Conflict", "Organization"]


async def test_environments_belong_to_their_organization(tenancy: Tenancy) -> None:
    staging = await tenancy.store.create_environment(tenancy.ours.id, "staging")
    assert await tenancy.store.environments(tenancy.ours.id) == [tenancy.here, staging]
    assert await tenancy.store.environments(tenancy.theirs.id) == [tenancy.there]
    assert await tenancy.store.environment(tenancy.ours.id, "staging") == staging
    assert await tenancy.store.environment(tenancy.ours.id, staging.id) == staging
    assert await tenancy.store.environment(tenancy.theirs.id, "production") == tenancy.there
    for foreign in (staging.id, "staging", tenancy.here.id):
        with pytest.raises(NotFound):
            await tenancy.store.environment(tenancy.theirs.id, foreign)


async def test_a_key_is_found_by_whoever_shows_it(tenancy: Tenancy) -> None:
    key, text = await tenancy.store.create_key(tenancy.here, "ci", ("messages:create", "messages:read"))
    _, other = await tenancy.store.create_key(tenancy.there, "ci")
    assert await tenancy.store.find_key(presented(text)) == key
    assert (key.organization_id, key.environment_id) == (tenancy.ours.id, tenancy.here.id)
    assert key.scopes == ("messages:create", "messages:read")
    wrong = replace(presented(text), digest=presented(other).digest)
    assert await tenancy.store.find_key(wrong) is None
    assert await tenancy.store.find_key(replace(presented(text), key_id="key_unknown")) is None


async def test_keys_are_listed_to_their_organization(tenancy: Tenancy) -> None:
    ours, _ = await tenancy.store.create_key(tenancy.here, "one")
    theirs, _ = await tenancy.store.create_key(tenancy.there, "one")
    assert await tenancy.store.keys(tenancy.ours.id) == [ours]
    assert await tenancy.store.keys(tenancy.theirs.id) == [theirs]
    assert await tenancy.store.keys("org_unknown") == []


async def test_a_revoked_key_is_not_found_any_more(tenancy: Tenancy) -> None:
    key, text = await tenancy.store.create_key(tenancy.here, "ci")
    _, kept = await tenancy.store.create_key(tenancy.here, "kept")
    await tenancy.store.revoke_key(tenancy.ours.id, key.id)
    assert await tenancy.store.find_key(presented(text)) is None
    assert await tenancy.store.find_key(presented(kept)) is not None
    (revoked,) = [each for each in await tenancy.store.keys(tenancy.ours.id) if each.id == key.id]
    assert revoked.revoked_at == tenancy.clock.now_ms()


async def test_nobody_revokes_what_is_anothers(tenancy: Tenancy) -> None:
    key, text = await tenancy.store.create_key(tenancy.here, "ci")
    for organization_id, key_id in ((tenancy.theirs.id, key.id), (tenancy.ours.id, "key_unknown")):
        with pytest.raises(NotFound):
            await tenancy.store.revoke_key(organization_id, key_id)
    assert await tenancy.store.find_key(presented(text)) == key


async def test_an_expired_key_is_not_found(tenancy: Tenancy) -> None:
    key, text = await tenancy.store.create_key(tenancy.here, "ci")
    async with tenancy.database.write() as connection:
        await connection.execute(tenancy.tables.api_keys.update().values(expires_at=tenancy.clock.now_ms() + 10))
    tenancy.clock.ms += 9
    found = await tenancy.store.find_key(presented(text))
    assert found is not None
    assert found.id == key.id
    tenancy.clock.ms += 1
    assert await tenancy.store.find_key(presented(text)) is None


async def test_no_secret_of_a_key_is_stored(tenancy: Tenancy) -> None:
    _, text = await tenancy.store.create_key(tenancy.here, "ci")
    async with tenancy.database.read() as connection:
        (row,) = (await connection.execute(tenancy.tables.api_keys.select())).all()
    secret = text.rpartition("_")[2]
    assert all(secret not in str(value) and secret.encode() not in bytes(str(value), "utf-8") for value in row)


async def test_a_rotated_key_ends_when_the_grace_is_over(tenancy: Tenancy) -> None:
    old, old_text = await tenancy.store.create_key(tenancy.here, "ci", ("messages:read",))
    new, new_text = await tenancy.store.rotate_key(tenancy.ours.id, old.id, 1_000)
    assert (new.name, new.scopes, new.environment_id, new.expires_at) == ("ci", old.scopes, old.environment_id, None)
    assert await tenancy.store.find_key(presented(old_text)) == replace(old, expires_at=tenancy.clock.now_ms() + 1_000)
    tenancy.clock.ms += 1_000
    assert await tenancy.store.find_key(presented(old_text)) is None
    assert await tenancy.store.find_key(presented(new_text)) == new
    with pytest.raises(Conflict):
        await tenancy.store.rotate_key(tenancy.ours.id, old.id, 1_000)


async def test_a_rotated_key_lasts_as_long_as_the_one_before(tenancy: Tenancy) -> None:
    made_at = tenancy.clock.now_ms()
    old, old_text = await tenancy.store.create_key(tenancy.here, "ci", (), made_at + 5_000)
    tenancy.clock.ms += 4_000
    new, _ = await tenancy.store.rotate_key(tenancy.ours.id, old.id, 60_000)
    assert new.expires_at == made_at + 4_000 + 5_000
    # The grace is no longer than the old key itself.
    tenancy.clock.ms += 1_000
    assert await tenancy.store.find_key(presented(old_text)) is None


async def test_a_rotated_key_ends_when_it_must(tenancy: Tenancy) -> None:
    now = tenancy.clock.now_ms()
    for ends in (None, now + 5_000, LATEST_MS):
        old, _ = await tenancy.store.create_key(tenancy.here, "ci", (), ends)
        new, _ = await tenancy.store.rotate_key(tenancy.ours.id, old.id, 0, until=now + 1_000)
        assert new.expires_at == now + 1_000
    old, _ = await tenancy.store.create_key(tenancy.here, "ci", (), LATEST_MS)
    tenancy.clock.ms += 1
    assert (await tenancy.store.rotate_key(tenancy.ours.id, old.id, 0))[0].expires_at == LATEST_MS
    with pytest.raises(InvalidFields):
        await tenancy.store.create_key(tenancy.here, "ci", (), LATEST_MS + 1)


async def test_a_key_of_another_organization_is_not_rotated(tenancy: Tenancy) -> None:
    key, text = await tenancy.store.create_key(tenancy.here, "ci")
    for organization_id, key_id in ((tenancy.theirs.id, key.id), (tenancy.ours.id, "key_unknown")):
        with pytest.raises(NotFound):
            await tenancy.store.rotate_key(organization_id, key_id, 0)
    assert await tenancy.store.find_key(presented(text)) == key
    assert await tenancy.store.keys(tenancy.theirs.id) == []


async def test_a_new_key_ends_later_than_now(tenancy: Tenancy) -> None:
    with pytest.raises(InvalidFields):
        await tenancy.store.create_key(tenancy.here, "ci", (), tenancy.clock.now_ms())
    assert await tenancy.store.keys(tenancy.ours.id) == []
