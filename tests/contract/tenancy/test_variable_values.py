"""What scripts get of variables: under which id, and for how long it is kept in memory. A second tenant is there."""

from types import SimpleNamespace

import pytest

from pulse.core import kept as module
from pulse.core.errors import Misconfigured
from pulse.tenancy.records import Variable
from pulse.tenancy.variables import Variables
from tests.contract.tenancy.conftest import Tenancy


async def test_values_come_by_name(tenancy: Tenancy, theirs: Variable) -> None:
    for name in ("b", "_", "B", "a", "A"):
        await tenancy.add(name, f"value of {name}")
    found = await tenancy.variables().values(tenancy.ours.id, tenancy.here.id)
    assert found.values == tuple((name, f"value of {name}") for name in ("A", "B", "_", "a", "b"))


async def test_the_id_names_this_very_set(tenancy: Tenancy, theirs: Variable) -> None:
    async def now() -> str:
        return (await tenancy.variables().values(tenancy.ours.id, tenancy.here.id)).id

    empty = await now()
    made = await tenancy.add("KEY", "theirs")
    first = await now()
    assert await now() == first
    await tenancy.variables().set(tenancy.ours.id, made.id, "second")
    second = await now()
    await tenancy.variables().set(tenancy.ours.id, made.id, "theirs")
    third = await now()
    await tenancy.variables().delete(tenancy.ours.id, made.id)
    assert await now() == empty
    await tenancy.add("KEY", "theirs")
    foreign = (await tenancy.variables().values(tenancy.theirs.id, tenancy.there.id)).id
    assert len({empty, first, second, third, await now(), foreign}) == 6


async def test_where_there_are_none_nothing_is_opened(tenancy: Tenancy, theirs: Variable) -> None:
    async with tenancy.database.write() as connection:
        await connection.execute(tenancy.tables.data_keys.update().values(wrapped=b"broken"))
    store = tenancy.variables()
    assert (await store.values(tenancy.ours.id, tenancy.here.id)).values == ()
    with pytest.raises(Misconfigured):
        await store.values(tenancy.theirs.id, tenancy.there.id)


async def test_a_change_is_seen_when_it_is_told_of(tenancy: Tenancy, theirs: Variable) -> None:
    store, place = tenancy.variables(), (tenancy.ours.id, tenancy.here.id)
    made = await store.create(*place, "KEY", "old")
    old = await store.values(*place)
    await store.set(tenancy.ours.id, made.id, "new")
    assert await store.values(*place) is old
    store.forget(tenancy.theirs.id, tenancy.there.id)
    assert await store.values(*place) is old
    store.forget(*place)
    assert (await store.values(*place)).values == (("KEY", "new"),)
    await store.set(tenancy.ours.id, made.id, "newer")
    store.forget_all()
    assert (await store.values(*place)).values == (("KEY", "newer"),)


async def test_a_change_elsewhere_is_seen_after_a_while(
    tenancy: Tenancy, theirs: Variable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    store, place = tenancy.variables(refresh_seconds=300), (tenancy.ours.id, tenancy.here.id)
    assert (await store.values(*place)).values == ()
    await tenancy.add("KEY", "new")
    clock.now += 299
    assert (await store.values(*place)).values == ()
    clock.now += 2
    assert (await store.values(*place)).values == (("KEY", "new"),)


async def test_what_was_read_before_a_change_is_not_kept(
    tenancy: Tenancy, theirs: Variable, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, place = tenancy.variables(), (tenancy.ours.id, tenancy.here.id)
    read = store._kept._read

    async def overtaken(place: tuple[str, str]) -> Variables:
        before = await read(place)
        await store.create(*place, "KEY", "new")
        store.forget(*place)
        return before

    with monkeypatch.context() as patched:
        patched.setattr(store._kept, "_read", overtaken)
        assert (await store.values(*place)).values == ()
    assert (await store.values(*place)).values == (("KEY", "new"),)
