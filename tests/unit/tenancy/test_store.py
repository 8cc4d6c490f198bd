"""Organizations, environments and keys: one tenant at a time, and every name once."""

import pytest

from pulse.core.errors import Conflict, NotFound
from pulse.tenancy.keys import PresentedKey, digest_of, read_key
from tests.unit.tenancy.conftest import Stores


async def test_names_are_taken_once(stores: Stores) -> None:
    acme = await stores.tenancy.create_organization("Acme")
    other = await stores.tenancy.create_organization("Other")
    with pytest.raises(Conflict, match="'Acme' already"):
        await stores.tenancy.create_organization("Acme")
    for organization in (acme, other):
        await stores.tenancy.create_environment(organization.id, "production")
    with pytest.raises(Conflict, match="'production' already"):
        await stores.tenancy.create_environment(acme.id, "production")
    assert [record.name for record in await stores.tenancy.organizations()] == ["Acme", "Other"]


async def test_things_are_found_by_id_and_by_name(stores: Stores) -> None:
    environment = await stores.environment("Acme", "production")
    for wanted in (environment.organization_id, "Acme"):
        assert (await stores.tenancy.organization(wanted)).name == "Acme"
    for wanted in (environment.id, "production"):
        assert await stores.tenancy.environment(environment.organization_id, wanted) == environment


async def test_nothing_of_another_is_found(stores: Stores) -> None:
    mine, theirs = await stores.environment("Acme", "production"), await stores.environment("Other", "staging")
    for wanted in (theirs.id, "staging", "", "none"):
        with pytest.raises(NotFound):
            await stores.tenancy.environment(mine.organization_id, wanted)
    with pytest.raises(NotFound, match="'none'"):
        await stores.tenancy.organization("none")
    key, _ = await stores.tenancy.create_key(theirs, "k")
    with pytest.raises(NotFound):
        await stores.tenancy.revoke_key(mine.organization_id, key.id)
    assert await stores.tenancy.keys(mine.organization_id) == []
    assert await stores.tenancy.environments(mine.organization_id) == [mine]


async def test_a_key_is_found_by_its_text_alone(stores: Stores) -> None:
    environment = await stores.environment()
    key, text = await stores.tenancy.create_key(environment, "k", ("messages:read", "messages:create"))
    presented = read_key(text)
    assert presented is not None
    assert await stores.tenancy.find_key(presented) == key
    assert await stores.tenancy.find_key(PresentedKey(key.id, digest_of("other"))) is None
    assert await stores.tenancy.find_key(PresentedKey("key_none", presented.digest)) is None


async def test_a_revoked_key_is_unknown(stores: Stores) -> None:
    key, text = await stores.tenancy.create_key(await stores.environment(), "k")
    presented = read_key(text)
    assert presented is not None
    await stores.tenancy.revoke_key(key.organization_id, key.id)
    assert await stores.tenancy.find_key(presented) is None
    (shown,) = await stores.tenancy.keys(key.organization_id)
    assert shown.revoked_at == stores.clock.ms


async def test_revoking_again_keeps_the_first_time(stores: Stores) -> None:
    key, _ = await stores.tenancy.create_key(await stores.environment(), "k")
    first = stores.clock.ms
    for _ in range(2):
        await stores.tenancy.revoke_key(key.organization_id, key.id)
        stores.clock.ms += 60_000
    (shown,) = await stores.tenancy.keys(key.organization_id)
    assert shown.revoked_at == first
