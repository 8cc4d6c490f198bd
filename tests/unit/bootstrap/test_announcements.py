"""Changes: forgotten here at once and by the others when they hear; whatever cannot be read means everything."""

from dataclasses import dataclass, field

import pytest

from pulse.bootstrap.announcements import TOPIC, Changes
from pulse.bus.in_process import InProcessBus


@dataclass
class Kept:
    """A cache that notes what it was told to forget; None for everything."""

    forgotten: list[tuple[str, str] | None] = field(default_factory=list)

    def forget(self, organization_id: str, environment_id: str) -> None:
        self.forgotten.append((organization_id, environment_id))

    def forget_all(self) -> None:
        self.forgotten.append(None)


@pytest.fixture
def bus() -> InProcessBus:
    return InProcessBus()


async def test_a_change_is_forgotten_by_every_cache_at_once_even_where_nobody_hears(bus: InProcessBus) -> None:
    first, second = Kept(), Kept()
    await Changes(bus, [first, second]).changed("org", "env")
    assert first.forgotten == second.forgotten == [("org", "env")]


async def test_a_change_is_announced_with_its_place(bus: InProcessBus) -> None:
    said: list[bytes] = []
    bus.subscribe(TOPIC, said.append)
    await bus.start()
    await Changes(bus, []).changed("org", "env")
    assert said == [b'{"organizationId":"org","environmentId":"env"}']


async def test_what_another_process_announces_is_forgotten(bus: InProcessBus) -> None:
    kept = Kept()
    Changes(bus, [kept])
    await bus.start()
    await bus.publish(TOPIC, b'{"organizationId":"org","environmentId":"env","since":"a later version"}')
    assert kept.forgotten == [("org", "env")]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"{}", b'{"organizationId": "org"}', b"\xff", b"null"])
async def test_a_gap_and_what_cannot_be_read_mean_everything(bus: InProcessBus, payload: bytes) -> None:
    first, second = Kept(), Kept()
    Changes(bus, [first, second])
    await bus.start()
    await bus.publish(TOPIC, payload)
    assert first.forgotten == second.forgotten == [None]
