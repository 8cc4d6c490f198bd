"""When something was used last: noted in memory, and never written over by what is older."""

import pytest

from pulse.core.errors import StorageDown
from pulse.tenancy.uses import Uses
from tests.contract.tenancy.conftest import Tenancy


async def test_the_last_use_is_kept(tenancy: Tenancy) -> None:
    key, _ = await tenancy.store.create_key(tenancy.here, "ci")
    other, _ = await tenancy.store.create_key(tenancy.there, "ci")
    uses = Uses(tenancy.database, tenancy.tables.api_keys)
    for at in (100, 123):
        uses.note(key.id, at)
    uses.note("key_unknown", 4)
    await uses.write()
    assert [each.last_used_at for each in await tenancy.store.keys(tenancy.ours.id)] == [123]
    assert await tenancy.store.keys(tenancy.theirs.id) == [other]


async def test_an_older_use_that_is_told_of_later_is_no_news(tenancy: Tenancy) -> None:
    key, _ = await tenancy.store.create_key(tenancy.here, "ci")
    for at in (123, 99):
        elsewhere = Uses(tenancy.database, tenancy.tables.api_keys)
        elsewhere.note(key.id, at)
        await elsewhere.write()
    assert [each.last_used_at for each in await tenancy.store.keys(tenancy.ours.id)] == [123]


async def test_what_cannot_be_written_stays_noted(tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = await tenancy.store.create_key(tenancy.here, "ci")
    uses = Uses(tenancy.database, tenancy.tables.api_keys)
    uses.note(key.id, 123)

    def gone() -> None:
        raise StorageDown

    with monkeypatch.context() as broken:
        broken.setattr(tenancy.database, "write", gone)
        with pytest.raises(StorageDown):
            await uses.write()
    await uses.write()
    assert [each.last_used_at for each in await tenancy.store.keys(tenancy.ours.id)] == [123]
