"""Who is asking: keys are recognised, remembered for a while, and forgotten at once when they change."""

import time
from typing import Any
from unittest.mock import patch

import pytest

from pulse.core.errors import Forbidden, InvalidFields, NotFound, Unauthenticated
from pulse.tenancy import access
from pulse.tenancy.access import OPERATOR, SCRIPTS, Authenticator, Principal, authorize
from pulse.tenancy.keys import PresentedKey
from pulse.tenancy.records import ApiKey
from pulse.tenancy.roles import PERMISSIONS
from tests.unit.tenancy.conftest import Stores


async def made_key(stores: Stores, *scopes: str) -> tuple[ApiKey, str]:
    key, text = await stores.tenancy.create_key(await stores.environment(), "test", scopes)
    return key, f"Bearer {text}"


def later() -> Any:
    """A while after, when keys are looked up again."""
    return patch("time.monotonic", return_value=time.monotonic() + access.KEPT_S + 1)


async def test_a_key_speaks_for_its_place(stores: Stores) -> None:
    key, header = await made_key(stores, "messages:read")
    found = await Authenticator(stores.tenancy).authenticate(header)
    assert found == Principal(key.organization_id, key.environment_id, key.id, ("messages:read",))


async def test_only_the_digest_is_kept(stores: Stores) -> None:
    _, header = await made_key(stores)
    secret = header.rpartition("_")[2]
    files = b"".join(file.read_bytes() for file in stores.file.parent.iterdir())
    assert secret.encode() not in files


async def test_a_key_is_looked_up_once_in_a_while(stores: Stores) -> None:
    _, header = await made_key(stores)
    authenticator = Authenticator(stores.tenancy)
    with patch.object(stores.tenancy, "find_key", wraps=stores.tenancy.find_key) as looked_up:
        for _ in range(5):
            await authenticator.authenticate(header)
        assert looked_up.call_count == 1
        with later():
            await authenticator.authenticate(header)
        assert looked_up.call_count == 2
        authenticator.forget_all()
        await authenticator.authenticate(header)
        assert looked_up.call_count == 3


async def test_a_key_revoked_elsewhere_ends_when_it_is_looked_up_again(stores: Stores) -> None:
    key, header = await made_key(stores)
    authenticator = Authenticator(stores.tenancy)
    await authenticator.authenticate(header)
    await stores.tenancy.revoke_key(key.organization_id, key.id)
    with later(), pytest.raises(Unauthenticated):
        await authenticator.authenticate(header)


async def test_a_key_revoked_while_it_is_looked_up_is_not_remembered(stores: Stores) -> None:
    key, header = await made_key(stores)
    authenticator, find = Authenticator(stores.tenancy), stores.tenancy.find_key

    async def found_just_before(presented: PresentedKey) -> ApiKey | None:
        found = await find(presented)
        await stores.tenancy.revoke_key(key.organization_id, key.id)
        authenticator.forget_all()
        return found

    with patch.object(stores.tenancy, "find_key", found_just_before):
        await authenticator.authenticate(header)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(header)


async def test_unknown_keys_fill_no_memory(stores: Stores) -> None:
    authenticator = Authenticator(stores.tenancy)
    for number in range(50):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(f"Bearer pk_x_{number:026}_{'0' * 32}")
    assert len(authenticator._kept) == 0


async def test_what_is_remembered_is_bounded(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_KEPT", 3)
    environment, authenticator = await stores.environment(), Authenticator(stores.tenancy)
    for _ in range(10):
        _, text = await stores.tenancy.create_key(environment, "k")
        await authenticator.authenticate(f"Bearer {text}")
    assert len(authenticator._kept) <= 3


async def test_each_use_is_told(stores: Stores) -> None:
    key, header = await made_key(stores)
    told: list[tuple[str, int]] = []
    authenticator = Authenticator(stores.tenancy, note_use=lambda *use: told.append(use))
    before = time.time() * 1000
    for count in (1, 2):
        await authenticator.authenticate(header)
        assert [key_id for key_id, _ in told] == [key.id] * count, "one that is still known is used, too"
    assert before - 1 <= told[0][1] <= told[1][1] <= time.time() * 1000


async def test_the_local_token_is_the_operator(stores: Stores) -> None:
    authenticator = Authenticator(stores.tenancy, "local_token")
    assert await authenticator.authenticate("Bearer local_token") is OPERATOR
    for wrong in ("local_toke", "local_token2", "LOCAL_TOKEN", "", "é"):
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(f"Bearer {wrong}")
    with pytest.raises(Unauthenticated):
        await Authenticator(stores.tenancy).authenticate("Bearer None")


async def test_a_key_speaks_for_no_other_place(stores: Stores) -> None:
    here, other = await stores.environment(), await stores.environment("Other")
    production = await stores.tenancy.create_environment(here.organization_id, "production")
    authenticator = Authenticator(stores.tenancy)
    principal = Principal(here.organization_id, here.id, "key_1")
    assert await authenticator.within(principal, None, None) is principal
    assert await authenticator.within(principal, here.organization_id, here.id) is principal
    with pytest.raises(NotFound):
        await authenticator.within(principal, other.organization_id, None)
    for environment_id in (production.id, other.id):
        with pytest.raises(Forbidden):
            await authenticator.within(principal, None, environment_id)


async def test_the_operator_speaks_for_one_place_at_a_time(stores: Stores) -> None:
    here, other = await stores.environment(), await stores.environment("Other")
    authenticator = Authenticator(stores.tenancy)
    for organization, environment in ((here.organization_id, here.id), ("Acme", "development")):
        found = await authenticator.within(OPERATOR, organization, environment)
        assert (found.organization_id, found.environment_id, found.system) == (here.organization_id, here.id, True)
    for nowhere in ((None, here.id), ("Acme", None), ("", ""), (None, None)):
        with pytest.raises(InvalidFields):
            await authenticator.within(OPERATOR, *nowhere)
    with pytest.raises(NotFound):
        await authenticator.within(OPERATOR, "Acme", other.id)


def test_rights() -> None:
    everything, reader = Principal("o", "e", "k"), Principal("o", "e", "k", ("messages:read",))
    authorize(everything, "messages:delete")
    authorize(reader, "messages:read")
    with pytest.raises(Forbidden, match="messages:delete"):
        authorize(reader, "messages:delete")
    for action in (name for name, permission in PERMISSIONS.items() if not permission.keys):
        authorize(OPERATOR, action)
        for principal in (everything, Principal("o", "e", "k", (action,))):
            with pytest.raises(Forbidden, match=r"use the pulse command|sign in"):
                authorize(principal, action)


async def test_a_key_ends_on_time_though_it_is_remembered(stores: Stores) -> None:
    now = stores.clock.now_ms()
    _, text = await stores.tenancy.create_key(await stores.environment(), "brief", (), now + 2_000)
    authenticator = Authenticator(stores.tenancy)
    principal = await authenticator.authenticate(f"Bearer {text}")
    assert principal.expires_at == now + 2_000
    stores.clock.ms = now + 2_000
    with patch("time.monotonic", return_value=time.monotonic() + 2.1), pytest.raises(Unauthenticated):
        await authenticator.authenticate(f"Bearer {text}")


def test_scripts_may_do_what_users_may() -> None:
    scripts = Principal("o", "e", SCRIPTS)
    for name, permission in PERMISSIONS.items():
        if permission.keys and permission.is_held_by("User"):
            authorize(scripts, name)
        else:
            with pytest.raises(Forbidden):
                authorize(scripts, name)
