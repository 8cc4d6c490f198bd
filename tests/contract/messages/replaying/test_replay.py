"""Replays: a new message with the payload of an old one, which it names."""

import pytest

from pulse.core.errors import NotFound
from pulse.messages.records import DELETED
from tests.contract.messages.office import DAY, HOUR, PRODUCTION, STAGING, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")
PAYLOAD = b'{"organizationId":"org_a","n":1.0,"text":"\xc3\xa4"}'


async def check_replay(office: Office, origin: str) -> str:
    """Replays a message and checks what became of it; the new one's id."""
    before = (await office.rows())[origin]
    office.clock.ms += 5
    replayed = await office.replay.replay(A, origin)
    row = (await office.rows())[replayed]
    assert replayed != origin
    assert (row.origin_id, row.state, row.received_at) == (origin, "ready", office.clock.now_ms())
    assert (row.organization_id, row.environment_id, row.type) == (A, STAGING, "order")
    assert (await office.bytes_of(replayed))[0] == PAYLOAD
    assert (await office.rows())[origin] == before
    return replayed


@pytest.mark.parametrize("status", ["success", "fail", "ignore", "canceled"])
async def test_what_ended_is_replayed(office: Office, status: str) -> None:
    origin = await office.ended_message(A, STAGING, status, payload=PAYLOAD, type="order")
    await check_replay(office, origin)


async def test_what_waits_is_replayed(office: Office) -> None:
    await check_replay(office, await office.accept(A, STAGING, payload=PAYLOAD, type="order"))


async def test_what_is_archived_is_replayed(office: Office) -> None:
    origin = await office.ended_message(A, STAGING, payload=PAYLOAD, type="order")
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    replayed = await check_replay(office, origin)
    again = await check_replay(office, replayed)
    assert (await office.rows())[again].origin_id == replayed


async def test_a_replay_is_a_message_of_its_own(office: Office) -> None:
    """The key of the first is not its key, and its lane is."""
    origin = await office.ended_message(A, lane="lane", idempotency_key="key")
    ahead = await office.accept(lane="lane")
    replayed = await office.replay.replay(A, origin)
    assert await office.states([ahead, replayed]) == ["ready", "blocked"]
    assert (await office.rows())[replayed].lane == "lane"


async def test_nobody_replays_what_is_anothers_or_gone(office: Office, bystander: str) -> None:
    ours, gone = await office.ended_message(A, PRODUCTION), await office.ended_message()
    await office.put_into(gone, state=DELETED)
    before = set(await office.rows())
    for organization_id, wanted in ((B, ours), (A, bystander), (A, gone), (A, "msg_unknown"), ("", ours)):
        with pytest.raises(NotFound):
            await office.replay.replay(organization_id, wanted)
    assert set(await office.rows()) == before


async def test_a_replay_outlives_its_origin(office: Office) -> None:
    origin = await office.ended_message()
    office.clock.ms += 20 * DAY
    replayed = await office.replay.replay(A, origin)
    (work,) = await office.claim()
    await office.finish(work)
    office.clock.ms += 20 * DAY
    await office.retention.enforce()
    assert origin not in await office.rows()
    assert (await office.reader.message(A, replayed)).row.origin_id == origin
