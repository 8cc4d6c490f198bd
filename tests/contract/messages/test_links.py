"""Families of messages: each has its place, counted once however often it is asked for, and exactly up to the limit."""

import asyncio

import pytest
from sqlalchemy import func, insert, select

from pulse.core.ids import derive_id, first_id_at
from pulse.messages.links import MAX_DEPTH, MAX_DESCENDANTS, Link, Links, TooDeep, TooManyDescendants
from tests.contract.messages.office import DAY, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")


@pytest.fixture
def links(office: Office) -> Links:
    return Links(office.database, office.tables)


def child_of(parent_id: str, number: int = 1) -> str:
    return derive_id("msg", parent_id, "child", number)


async def counted(office: Office, root_id: str) -> int:
    table = office.tables.links
    async with office.database.read() as connection:
        query = select(func.count()).select_from(table).where(table.c.root_id == root_id)
        return await connection.scalar(query) or 0


async def filled(office: Office, root_id: str, count: int) -> list[str]:
    """A family of so many, written behind everybody's back; the children of the root."""
    ids = [child_of(root_id, 10_000 + number) for number in range(count)]
    rows = [{"id": each, "organization_id": A, "parent_id": root_id, "root_id": root_id, "depth": 1} for each in ids]
    async with office.database.write() as connection:
        await connection.execute(insert(office.tables.links), rows)
    return ids


async def test_a_place_in_the_family(office: Office, links: Links) -> None:
    root = await office.accept()
    first, second = child_of(root, 1), child_of(root, 2)
    grandchild = child_of(first)
    assert await links.reserve(A, root, first) == Link(first, root, root, 1)
    assert await links.reserve(A, root, second) == Link(second, root, root, 1)
    assert await links.reserve(A, first, grandchild) == Link(grandchild, first, root, 2)
    assert await links.of(A, grandchild) == Link(grandchild, first, root, 2)
    assert await links.of(A, root) is None
    assert await links.of(A, "msg_unknown") is None
    found = await links.descendants(A, root)
    assert [(link.depth, link.child_id) for link in found] == [*sorted([(1, first), (1, second)]), (2, grandchild)]
    assert await links.descendants(A, first) == []


async def test_a_place_is_found_again(office: Office, links: Links) -> None:
    """A repeated evaluation asks for the same places once more."""
    root = await office.accept()
    child = child_of(root)
    first = await links.reserve(A, root, child)
    assert [await links.reserve(A, root, child) for _ in range(3)] == [first] * 3
    assert await counted(office, root) == 1


async def test_those_who_ask_for_one_place_at_once_get_it_once(office: Office, beside: Office, links: Links) -> None:
    root = await office.accept()
    child, others = child_of(root), Links(beside.database, beside.tables)
    asked = [each.reserve(A, root, child) for each in (links, others) for _ in range(4)]
    assert set(await asyncio.gather(*asked)) == {Link(child, root, root, 1)}
    assert await counted(office, root) == 1


async def test_the_depth_has_an_end(office: Office, links: Links) -> None:
    parent = root = await office.accept()
    for depth in range(1, MAX_DEPTH + 1):
        child = child_of(parent)
        assert (await links.reserve(A, parent, child)).depth == depth
        parent = child
    with pytest.raises(TooDeep, match="10 workflows deep"):
        await links.reserve(A, parent, child_of(parent))
    assert await counted(office, root) == MAX_DEPTH
    assert await links.of(A, child_of(parent)) is None


async def test_the_family_is_full_at_exactly_the_limit(office: Office, beside: Office, links: Links) -> None:
    """Whoever asks at the same time, here and in another process, for children at whatever depth."""
    root = await office.accept()
    known = await filled(office, root, MAX_DESCENDANTS - 30)
    others = Links(beside.database, beside.tables)
    asked = [
        each.reserve(A, parent, child_of(parent, number))
        for number in range(20)
        for each, parent in ((links, root), (others, known[0]), (links, known[number + 1]))
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, TooManyDescendants)]
    assert sum(isinstance(answer, Link) for answer in answers) == 30
    assert len(refused) == 30
    assert f"1000 messages descend from {root}" in refused[0].message
    assert await counted(office, root) == MAX_DESCENDANTS == len(await links.descendants(A, root))


async def test_who_is_in_a_full_family_stays(office: Office, links: Links) -> None:
    root = await office.accept()
    known = await filled(office, root, MAX_DESCENDANTS)
    assert (await links.reserve(A, root, known[7])).child_id == known[7]
    with pytest.raises(TooManyDescendants):
        await links.reserve(A, known[7], child_of(known[7]))


async def test_families_do_not_count_together(office: Office, links: Links) -> None:
    full, other = await office.accept(), await office.accept()
    await filled(office, full, MAX_DESCENDANTS)
    assert (await links.reserve(A, other, child_of(other))).root_id == other
    assert await counted(office, other) == 1


async def test_another_organization_sees_nothing(office: Office, links: Links, bystander: str) -> None:
    root = await office.accept()
    child = child_of(root)
    await links.reserve(A, root, child)
    for organization_id in (B, ""):
        assert await links.of(organization_id, child) is None
        assert await links.descendants(organization_id, root) == []
    assert await links.of(A, bystander) is None


async def test_old_families_are_forgotten(office: Office, links: Links) -> None:
    old = await office.accept()
    await links.reserve(A, old, child_of(old))
    office.clock.ms += DAY
    young = await office.accept()
    await links.reserve(A, young, child_of(young))
    await links.forget_before(first_id_at("msg", office.clock.ms))
    assert await links.descendants(A, old) == []
    assert [link.child_id for link in await links.descendants(A, young)] == [child_of(young)]


async def test_retention_takes_the_families_of_messages_that_are_gone(office: Office, links: Links) -> None:
    old = await office.ended_message()
    await links.reserve(A, old, child_of(old))
    office.clock.ms += (office.days + 2) * DAY
    kept = await office.accept()
    await links.reserve(A, kept, child_of(kept))
    await office.retention.enforce()
    assert await links.of(A, child_of(old)) is None
    assert await links.of(A, child_of(kept)) is not None
