"""Between an engine and the platform: where what handlers send goes, and what becomes of messages."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pulse.bootstrap.joining.bridge import Sender
from pulse.bootstrap.joining.signals import Emitter, departure, signal_of
from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.core.errors import Fault, InvalidFields, InvalidMessage, Misconfigured, PulseError, StorageDown, TooLarge
from pulse.core.ids import Ids, time_of
from pulse.messages.records import NewMessage
from pulse.tenancy.records import Environment

STEP = Ids().new("stp")


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[OpenData]:
    opened = OpenData(load_settings(tmp_path / "data", MAX_MESSAGE_BYTES=2048))
    await opened.prepare()
    yield opened
    await opened.close()


async def place(data: OpenData, organization: str, *names: str) -> list[Environment]:
    """An organization with environments of these names."""
    made = await data.parts.tenancy.create_organization(organization)
    return [await data.parts.tenancy.create_environment(made.id, name) for name in names]


async def sent(
    data: OpenData, message: dict[str, Any], tenant_id: str, environment: str | None = None, key: str = f"{STEP}:1"
) -> tuple[str, str, dict[str, Any]]:
    """Where the message went, and what it says there."""
    message_id = await Sender(data.parts)(message, key=key, tenant_id=tenant_id, environment=environment)
    return await found(data, message_id)


async def found(data: OpenData, message_id: str) -> tuple[str, str, dict[str, Any]]:
    for organization in await data.parts.tenancy.organizations():
        try:
            stored = await data.parts.reader.message(organization.id, message_id)
        except PulseError:
            continue
        return stored.row.organization_id, stored.row.environment_id, json.loads(stored.payload)
    raise AssertionError(f"{message_id} is nowhere")


async def test_the_key_says_which_message_it_is(data: OpenData) -> None:
    (demo,) = await place(data, "Demo", "development")
    send = Sender(data.parts)
    first = await send({"type": "a", "n": 1}, key=f"{STEP}:1", tenant_id="anybody", environment=None)
    again = await send({"type": "a", "n": 2}, key=f"{STEP}:1", tenant_id="anybody", environment=None)
    other = await send({"type": "a", "n": 3}, key=f"{STEP}:2", tenant_id="anybody", environment=None)
    assert again == first != other
    assert time_of(first) == time_of(STEP)
    organization, environment, said = await found(data, first)
    assert (organization, environment) == (demo.organization_id, demo.id)
    assert said == {"organizationId": organization, "environmentId": environment, "type": "a", "n": 1}


async def test_the_tenant_that_is_an_organization_gets_it(data: OpenData) -> None:
    await place(data, "Demo", "development")
    blue, green = await place(data, "Acme", "blue", "green")
    acme = blue.organization_id
    for number, environment in enumerate(("green", green.id)):
        went = await sent(data, {"type": "a"}, acme, environment, f"{STEP}:{number}")
        assert went[:2] == (acme, green.id)
    # A name is none of its ids.
    assert (await sent(data, {"type": "a"}, "Acme", "green", f"{STEP}:9"))[0] != acme


async def test_a_message_may_say_where_it_goes(data: OpenData) -> None:
    await place(data, "Demo", "development")
    blue, _ = await place(data, "Acme", "blue", "green")
    message = {"type": "a", "organizationId": blue.organization_id, "environmentId": "blue"}
    went = await sent(data, message, "anybody", "green")
    assert went[:2] == (blue.organization_id, blue.id)
    assert went[2]["environmentId"] == blue.id


async def test_where_it_is_not_clear_the_sender_is_told_what_to_say(data: OpenData) -> None:
    send = Sender(data.parts)
    with pytest.raises(Misconfigured, match="Say where the message goes with `organizationId`"):
        await send({}, key=f"{STEP}:1", tenant_id="anybody", environment=None)
    blue, _ = await place(data, "Acme", "blue", "green")
    with pytest.raises(Misconfigured, match=r"Say where the message goes with `environmentId`: .* has blue, green"):
        await send({}, key=f"{STEP}:1", tenant_id=blue.organization_id, environment="production")


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"at": object()}, InvalidMessage),
        ({"n": float("nan")}, InvalidMessage),
        ({"text": "\ud800"}, InvalidMessage),
        ({"type": 5}, InvalidMessage),
        ({"type": "x" * 201}, InvalidMessage),
        ({"text": "x" * 2048}, TooLarge),
    ],
    ids=["an object", "NaN", "half a pair", "no text", "a long type", "large"],
)
async def test_what_is_no_message_is_refused(data: OpenData, message: dict[str, Any], error: type[PulseError]) -> None:
    await place(data, "Demo", "development")
    with pytest.raises(error):
        await Sender(data.parts)(message, key=f"{STEP}:1", tenant_id="anybody", environment=None)


# ---- messages become signals -------------------------------------------------------------------------------------


def entry(message: dict[str, Any]) -> bytes:
    stored = NewMessage("msg_1", "org_1", "env_1", "order", json.dumps(message).encode(), 0)
    return departure(stored)


@pytest.mark.parametrize("message", [{"n": 1}, {"payload": [1]}, {"payload": None}, {"payload": "text"}])
def test_a_message_without_a_payload_is_the_payload(message: dict[str, Any]) -> None:
    assert signal_of("msg_1", entry(message)).payload == message


def test_a_signal_says_where_its_message_came_from() -> None:
    signal = signal_of("msg_1", entry({"type": "order", "payload": {"n": 1}}))
    assert (signal.tenant_id, signal.environment, signal.source, signal.type) == ("org_1", "env_1", "platform", "order")
    assert (dict(signal.payload), signal.idempotency_key) == ({"n": 1}, "message:msg_1")


class Refuses:
    """An engine that refuses what is emitted."""

    def __init__(self, error: PulseError) -> None:
        self._error = error

    async def emit(self, _signal: object) -> None:
        raise self._error


async def test_what_can_never_be_emitted_is_given_up_and_everything_else_is_not() -> None:
    bad: Any = Refuses(InvalidFields([Fault("payload.n", "int_type", "a number is wanted.")]))
    await Emitter(bad)("msg_1", entry({}))
    away: Any = Refuses(StorageDown())
    with pytest.raises(StorageDown):
        await Emitter(away)("msg_1", entry({}))
