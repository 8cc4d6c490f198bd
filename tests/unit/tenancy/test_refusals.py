"""Refusals are written once a while, and no organization's flood hides another's."""

import pytest

from pulse.tenancy.audit.refusals import AGAIN_S, FEWER_OF_ONE, MANY, MOST_OF_ONE, Refusals


@pytest.fixture
def now() -> list[float]:
    return [1_000.0]


@pytest.fixture
def seen(now: list[float]) -> Refusals:
    return Refusals(lambda: now[0])


def flood(seen: Refusals, organization_id: str, count: int) -> int:
    """How many of so many different ones are written."""
    return sum(seen.is_news(organization_id, number) for number in range(count))


def test_the_same_is_written_once_a_while(seen: Refusals, now: list[float]) -> None:
    assert [seen.is_news("org_a", "x") for _ in range(3)] == [True, False, False]
    assert seen.is_news("org_a", "y")
    assert seen.is_news("org_b", "x")
    now[0] += AGAIN_S - 1
    assert not seen.is_news("org_a", "x")
    now[0] += 1
    assert [seen.is_news("org_a", "x") for _ in range(2)] == [True, False]


def test_one_organizations_flood_hides_no_others(seen: Refusals) -> None:
    assert flood(seen, "org_a", 3 * MANY) == MOST_OF_ONE
    assert flood(seen, "org_b", 50) == 50
    assert not seen.is_news("org_a", "one more")


def test_many_floods_hide_nobody_who_is_refused_little(seen: Refusals) -> None:
    floods = [f"org_{number}" for number in range(30)]
    written = [flood(seen, organization_id, 2 * MOST_OF_ONE) for organization_id in floods]
    assert written == [MOST_OF_ONE] * 10 + [FEWER_OF_ONE] * 20
    assert flood(seen, "org_quiet", 50) == 50


def test_it_begins_anew_after_a_while(seen: Refusals, now: list[float]) -> None:
    for number in range(20):
        flood(seen, f"org_{number}", MOST_OF_ONE)
    now[0] += AGAIN_S
    assert flood(seen, "org_0", 2 * MOST_OF_ONE) == MOST_OF_ONE
    assert len(seen._until) == sum(seen._counts.values()) == MOST_OF_ONE
