"""TLS proves the name that was asked for, whatever address is behind it, and ends with what began it."""

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pulse.egress.client import HttpEgress
from pulse.egress.port import EgressError, TimedOut
from tests.integration.egress.certificates import Authority
from tests.integration.egress.conftest import Build, Names, Wire, get
from tests.integration.egress.servers import HOME, Server, listening, redirect, reply, serving

PUBLIC = "93.184.216.34"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(build: Build, authority: Authority) -> HttpEgress:
    """An egress that trusts the tests' authority."""
    return build(HOME, tls=authority.trusting)


async def test_the_name_is_asked_for_and_proved_at_the_address_that_was_checked(
    secure: HttpEgress, authority: Authority, names: Names, wire: Wire
) -> None:
    names.give("api.example", [PUBLIC])
    async with serving(reply(body=b"proved"), tls=authority.server("api.example")) as server:
        wire.detours = {PUBLIC: ("127.0.0.1", server.port)}
        answer = await secure.send(get("https://api.example./v1?x=1"))
        await secure.close()
    assert (answer.body, answer.url) == (b"proved", "https://api.example/v1?x=1")
    assert wire.connected == [(PUBLIC, 443)]
    assert server.server_names == ["api.example"]
    assert server.requests[0].header("host") == "api.example"


async def test_an_address_can_prove_itself(secure: HttpEgress, authority: Authority) -> None:
    async with serving(reply(body=b"proved"), HOME, tls=authority.server(HOME)) as server:
        assert (await secure.send(get(server.url(scheme="https")))).body == b"proved"
        await secure.close()
    assert server.requests[0].header("host") == server.authority


@pytest.mark.parametrize("proved", ["other.example", "api.example.evil.example", "*.api.example", HOME])
async def test_a_certificate_for_another_name_proves_nothing(
    secure: HttpEgress, authority: Authority, names: Names, proved: str
) -> None:
    names.give("api.example", [HOME])
    async with serving(reply(), HOME, tls=authority.server(proved)) as server:
        with pytest.raises(EgressError, match=r"^api\.example has no certificate that is trusted here: ") as caught:
            await secure.send(get(server.url(host="api.example", scheme="https")))
        await secure.close()
    assert HOME not in caught.value.message
    assert not caught.value.retryable
    assert server.requests == []


async def test_an_authority_that_is_not_trusted_proves_nothing(
    build: Build, authority: Authority, names: Names
) -> None:
    """The default is what the machine trusts, which is not the tests' authority."""
    names.give("api.example", [HOME])
    egress = build(HOME, tls=None)
    async with serving(reply(), HOME, tls=authority.server("api.example")) as server:
        with pytest.raises(EgressError, match="no certificate that is trusted here"):
            await egress.send(get(server.url(host="api.example", scheme="https")))
        await egress.close()
    assert server.requests == []


async def test_the_environment_adds_no_authority(
    build: Build, authority: Authority, names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "authority.pem"
    bundle.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    names.give("api.example", [HOME])
    egress = build(HOME, tls=None)
    async with serving(reply(), HOME, tls=authority.server("api.example")) as server:
        with pytest.raises(EgressError, match="no certificate that is trusted here"):
            await egress.send(get(server.url(host="api.example", scheme="https")))
        await egress.close()


async def test_a_connection_that_proved_one_name_is_not_used_for_another(
    secure: HttpEgress, authority: Authority, names: Names
) -> None:
    names.give("api.example", [HOME])
    names.give("other.example", [HOME])
    async with serving(reply(), HOME, tls=authority.server("api.example")) as server:
        await secure.send(get(server.url(host="api.example", scheme="https")))
        with pytest.raises(EgressError, match=r"^other\.example has no certificate"):
            await secure.send(get(server.url(host="other.example", scheme="https")))
        await secure.send(get(server.url(host="api.example", scheme="https")))
        await secure.close()
    assert {heard.connection for heard in server.requests} == {1}


async def test_a_server_without_tls_is_refused(secure: HttpEgress) -> None:
    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    server = Server(HOME)
    async with listening(server, impatient):
        with pytest.raises(EgressError, match="found no way to speak TLS") as caught:
            await secure.send(get(server.url(scheme="https", path="/?key=sk-live-1")))
        await server.until_all_ended()
    assert "sk-live" not in caught.value.message


async def test_old_protocols_are_refused(secure: HttpEgress, authority: Authority, names: Names) -> None:
    names.give("api.example", [HOME])
    old = authority.server("api.example")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(reply(), HOME, tls=old) as server:
        with pytest.raises(EgressError):
            await secure.send(get(server.url(host="api.example", scheme="https")))
        await secure.close()
    assert server.requests == []


async def test_credentials_do_not_go_from_https_to_http(secure: HttpEgress, authority: Authority) -> None:
    secret = ("Authorization", "Bearer sk-live-1")
    async with (
        serving(reply(), HOME) as plain,
        serving(redirect(plain.url()), HOME, tls=authority.server(HOME)) as server,
    ):
        await secure.send(get(server.url(scheme="https"), headers=[secret, ("X-Tag", "kept")]))
        await secure.close()
    assert server.requests[0].header("authorization") == "Bearer sk-live-1"
    assert plain.requests[0].header("authorization") is None
    assert plain.requests[0].header("x-tag") == "kept"


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes a greeting and never returns it."""
    await reader.read(1)
    await reader.read()


async def test_a_greeting_that_is_never_returned_ends_with_the_time_given(secure: HttpEgress) -> None:
    server = Server(HOME)
    async with listening(server, mute):
        with pytest.raises(TimedOut):
            await secure.send(get(server.url(scheme="https"), timeout_ms=200))
        await server.until_all_ended()
        assert server.connections == 1


async def test_a_greeting_that_is_cancelled_closes_the_connection(secure: HttpEgress) -> None:
    server = Server(HOME)
    async with listening(server, mute):
        asking = asyncio.create_task(secure.send(get(server.url(scheme="https"))))
        await server.until(lambda: server.connections == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.until_all_ended()
