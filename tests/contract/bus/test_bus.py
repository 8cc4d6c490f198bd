"""The contract of `Bus`, on every adapter."""

import asyncio

import pytest

from pulse.bus.port import Bus
from tests.contract.bus.conftest import Heard, Installation

END = b"end"


async def test_what_is_announced_is_heard_once_by_each_of_its_topics_handlers(bus: Bus) -> None:
    first, second, other = Heard(), Heard(), Heard()
    bus.subscribe("topic", first)
    bus.subscribe("topic", second)
    bus.subscribe("other", other)
    await bus.start()
    await bus.publish("topic", b"news")
    for topic in ("topic", "other"):
        await bus.publish(topic, END)
    assert await first.until(END) == await second.until(END) == [b"news", END]
    assert await other.until(END) == [END]


async def test_all_is_well(bus: Bus) -> None:
    assert bus.trouble is None
    await bus.start()
    assert bus.trouble is None


async def test_the_order_is_that_of_publishing(bus: Bus) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.start()
    expected = [b"%d" % n for n in range(200)]
    for payload in expected[:100]:
        await bus.publish("topic", payload)
    await asyncio.gather(*(bus.publish("topic", payload) for payload in expected[100:]))
    assert await heard.until(expected[-1]) == expected


@pytest.mark.parametrize("payload", [b"", bytes(range(256)), b"x" * (1 << 20)], ids=["none", "every-byte", "large"])
async def test_a_payload_comes_as_it_was(bus: Bus, payload: bytes) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.start()
    await bus.publish("topic", payload)
    await bus.publish("topic", END)
    assert await heard.until(END) == [payload, END]


@pytest.mark.parametrize("topic", ["a:b", "*", "a[b]?", "with space", "ümläut", ""])
async def test_a_topic_is_a_name_and_no_pattern(bus: Bus, topic: str) -> None:
    heard, other = Heard(), Heard()
    bus.subscribe(topic, heard)
    bus.subscribe("x", other)
    await bus.start()
    await bus.publish(topic, b"news")
    for each in ("x", topic):
        await bus.publish(each, END)
    assert await heard.until(END) == [b"news", END]
    assert await other.until(END) == [END]


async def test_a_handler_that_raises_keeps_nobody_from_hearing(bus: Bus) -> None:
    heard = Heard()

    def raises(payload: bytes) -> None:
        raise RuntimeError(payload)

    bus.subscribe("topic", raises)
    bus.subscribe("topic", heard)
    await bus.start()
    await bus.publish("topic", b"news")
    await bus.publish("topic", END)
    assert await heard.until(END) == [b"news", END]
    assert bus.trouble is None


async def test_who_subscribes_later_hears_what_comes_after(bus: Bus) -> None:
    early, late = Heard(), Heard()
    bus.subscribe("topic", early)
    await bus.start()
    await bus.publish("topic", b"news")
    await early.until(b"news")
    bus.subscribe("topic", late)
    await bus.publish("topic", END)
    assert await late.until(END) == [END]


async def test_a_handler_may_subscribe_another(bus: Bus) -> None:
    heard = Heard()
    bus.subscribe("topic", lambda _: bus.subscribe("other", heard))
    await bus.start()
    await bus.publish("topic", b"news")
    await bus.publish("other", END)
    assert await heard.until(END) == [END]


async def test_what_nobody_listens_to_is_no_error(bus: Bus) -> None:
    await bus.publish("topic", b"before the start")
    await bus.start()
    await bus.publish("topic", b"news")
    assert bus.trouble is None


async def test_nothing_is_kept_for_who_comes_later(bus: Bus) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.publish("topic", b"news")
    await bus.start()
    await bus.publish("topic", END)
    assert await heard.until(END) == [END]


async def test_after_the_end_nothing_is_heard_and_announcements_are_lost(bus: Bus) -> None:
    heard = Heard()
    bus.subscribe("topic", heard)
    await bus.start()
    await bus.publish("topic", END)
    await heard.until(END)
    await bus.stop()
    await bus.publish("topic", b"news")
    await bus.stop()
    assert heard.payloads == [END]


async def test_it_may_be_stopped_without_a_start(bus: Bus) -> None:
    await bus.stop()
    await bus.stop()


async def test_the_processes_of_an_installation_hear_each_other(installation: Installation) -> None:
    ours, theirs = installation.open(), installation.open()
    here, there = Heard(), Heard()
    ours.subscribe("topic", here)
    theirs.subscribe("topic", there)
    await ours.start()
    await theirs.start()
    await ours.publish("topic", b"news")
    assert await here.until(b"news") == [b"news"]
    if installation.has_many_processes:
        assert await there.until(b"news") == [b"news"]
    await theirs.publish("topic", END)
    assert await there.until(END) == ([b"news", END] if installation.has_many_processes else [END])
