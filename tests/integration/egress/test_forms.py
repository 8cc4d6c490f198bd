"""No way to write an inner address, and no name that leads to one, opens a connection."""

import pytest

from pulse.egress.client import HttpEgress
from pulse.egress.port import AddressRefused, InvalidAddress, Unreachable
from tests.integration.egress.conftest import Build, Names, Wire, get
from tests.integration.egress.servers import Server, canary
from tests.unit.egress.forms import NAMES, WRITTEN

SCHEMES = ("http", "https")


def test_there_are_as_many_forms_as_there_should_be() -> None:
    assert len({*WRITTEN, *NAMES}) >= 150


@pytest.mark.parametrize("host", WRITTEN)
async def test_no_form_of_an_inner_address_is_connected_to(build: Build, bird: Server, wire: Wire, host: str) -> None:
    egress = build()
    for scheme in SCHEMES:
        for url in (f"{scheme}://{host}:{bird.port}/latest/meta-data/", f"{scheme}://{host}/"):
            await assert_refused(egress, url)
    assert wire.connected == []


@pytest.mark.parametrize(("host", "addresses"), NAMES.items(), ids=NAMES)
async def test_no_name_of_an_inner_address_is_connected_to(
    build: Build, bird: Server, wire: Wire, names: Names, host: str, addresses: tuple[str, ...]
) -> None:
    names.give(host, addresses)
    egress = build()
    for scheme in SCHEMES:
        await assert_refused(egress, f"{scheme}://{host}:{bird.port}/")
        await assert_refused(egress, f"{scheme}://{host.upper()}.:{bird.port}/")
    assert wire.connected == []
    assert names.asked == [host] * 8


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "[::1]", "[::]", "0"])
async def test_the_machines_own_resolver_changes_nothing(build: Build, bird: Server, wire: Wire, host: str) -> None:
    await assert_refused(build(resolver=None), f"http://{host}:{bird.port}/")
    assert wire.connected == []


async def test_the_canary_hears_whoever_may_reach_it(build: Build) -> None:
    """The canary and the record are worth something: with an exception, the same request arrives."""
    async with canary() as listening:
        egress = build("127.0.0.0/8,::1")
        for host in ("127.0.0.1", "127.1", "localhost"):
            assert (await egress.send(get(f"http://{host}:{listening.port}/"))).body == b"heard"
        await egress.close()
        assert listening.connections == 3


async def assert_refused(egress: HttpEgress, url: str) -> None:
    """Both ways of asking end before anything is connected to, and say nothing of what is behind the name."""
    with pytest.raises((AddressRefused, InvalidAddress, Unreachable)) as sent:
        await egress.send(get(url))
    with pytest.raises((AddressRefused, InvalidAddress, Unreachable)) as streamed:
        async with egress.stream(get(url)):
            pytest.fail("the stream was opened")
    assert type(sent.value) is type(streamed.value)
    assert not isinstance(sent.value, Unreachable) or "has no address" in sent.value.message
