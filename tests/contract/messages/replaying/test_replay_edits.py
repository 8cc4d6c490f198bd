"""Replays that differ from their origin: in what they say, and in the version of the workflow that they run on."""

import json
from typing import Any

import pytest

from pulse.core.errors import NotFound
from pulse.messages.records import DELETED, Pin
from pulse.messages.replay import Edits, NoVersion
from tests.contract.messages.office import HOUR, STAGING, A, B, Office

pytestmark = pytest.mark.usefixtures("bystander")
PAYLOAD = b'{"organizationId":"org_a","environmentId":"env_staging","type":"order","n":1.0}'
TOOK_IT: dict[str, Any] = {"workflow_id": "wf_1@odd", "workflow_name": "Orders", "workflow_version": 3}
OLD = Edits(old_version=True)


async def ended(office: Office, status: str = "success", **fields: Any) -> str:
    return await office.ended_message(A, STAGING, status, outcome=fields, payload=PAYLOAD, type="order")


async def test_an_edited_replay_says_what_it_was_told(office: Office) -> None:
    origin = await ended(office, **TOOK_IT)
    before = (await office.rows())[origin], await office.bytes_of(origin)
    edited = b'{"organizationId":"org_a","environmentId":"env_staging","type":"refund","n":2.50}'
    replayed = await office.replay.replay(A, origin, Edits(edited))
    row = (await office.rows())[replayed]
    assert (await office.bytes_of(replayed))[0] == edited
    assert (row.type, row.size, row.origin_id, row.pin, row.state) == ("refund", len(edited), origin, None, "ready")
    assert (row.organization_id, row.environment_id) == (A, STAGING)
    assert ((await office.rows())[origin], await office.bytes_of(origin)) == before


@pytest.mark.parametrize("said", [{}, {"type": None}, {"type": 5}, {"type": ["order"]}, {"kind": "order"}])
async def test_an_edited_replay_may_have_no_type(office: Office, said: dict[str, Any]) -> None:
    replayed = await office.replay.replay(A, await ended(office), Edits(json.dumps(said).encode()))
    assert (await office.rows())[replayed].type is None


async def test_the_lane_stays_and_the_key_does_not(office: Office) -> None:
    origin = await office.ended_message(A, STAGING, lane="lane", idempotency_key="key")
    ahead = await office.accept(A, STAGING, lane="lane")
    replayed = await office.replay.replay(A, origin, Edits(b'{"n":1}'))
    assert await office.states([ahead, replayed]) == ["ready", "blocked"]
    assert await office.replay.replay(A, origin, Edits(b'{"n":1}')) != replayed


# ---- versions ----------------------------------------------------------------------------------------------------


async def test_a_replay_on_the_old_version_is_pinned_to_it(office: Office) -> None:
    origin = await ended(office, **TOOK_IT)
    replayed = await office.replay.replay(A, origin, OLD)
    (work,) = await office.claim()
    assert (work.id, work.payload) == (replayed, PAYLOAD)
    assert work.pin is not None
    assert Pin.of(work.pin) == Pin("wf_1@odd", 3)
    assert (await office.rows())[origin].pin is None


async def test_a_replay_on_the_current_version_is_pinned_to_none(office: Office) -> None:
    await office.replay.replay(A, await ended(office, **TOOK_IT))
    (work,) = await office.claim()
    assert work.pin is None


async def test_another_message_may_run_on_the_old_version(office: Office) -> None:
    replayed = await office.replay.replay(A, await ended(office, **TOOK_IT), Edits(b'{"n":9}', old_version=True))
    (work,) = await office.claim()
    assert (work.id, work.payload, work.pin) == (replayed, b'{"n":9}', "wf_1@odd@3")


async def test_a_pinned_replay_keeps_its_pin_whoever_claims_it(office: Office, beside: Office) -> None:
    await office.replay.replay(A, await ended(office, **TOOK_IT), OLD)
    (work,) = await office.claim()
    await office.queue.release([work])
    (again,) = await beside.claim()
    assert again.pin == work.pin == "wf_1@odd@3"


async def test_a_replay_of_a_replay_has_the_version_that_it_ran_on(office: Office) -> None:
    first = await office.replay.replay(A, await ended(office, **TOOK_IT), OLD)
    (work,) = await office.claim()
    assert await office.finish(work, workflow_id="wf_2", workflow_name="Other", workflow_version=7)
    await office.replay.replay(A, first, OLD)
    (again,) = await office.claim()
    assert again.pin == "wf_2@7"


async def test_an_archived_message_is_replayed_on_its_old_version(office: Office) -> None:
    origin = await ended(office, **TOOK_IT)
    office.clock.ms += HOUR
    await office.archive.archive_closed_hours()
    await office.replay.replay(A, origin, OLD)
    (work,) = await office.claim()
    assert (work.pin, work.payload) == ("wf_1@odd@3", PAYLOAD)


@pytest.mark.parametrize("status", ["ignore", "fail", "canceled"])
async def test_what_no_workflow_took_has_no_old_version(office: Office, status: str) -> None:
    origin = await ended(office, status)
    before = set(await office.rows())
    with pytest.raises(NoVersion):
        await office.replay.replay(A, origin, OLD)
    assert set(await office.rows()) == before
    assert await office.replay.replay(A, origin)


async def test_what_still_waits_has_no_old_version(office: Office) -> None:
    waits = await office.accept()
    with pytest.raises(NoVersion):
        await office.replay.replay(A, waits, OLD)


# ---- many --------------------------------------------------------------------------------------------------------


async def test_many_are_sent_in_the_order_of_the_old_ones(office: Office) -> None:
    origins = [await ended(office, **TOOK_IT) for _ in range(5)]
    wanted = [origins[at] for at in (3, 0, 4, 1, 2)]
    sent = await office.replay.replay_all(A, wanted)
    rows = await office.rows()
    assert [rows[each].origin_id for each in sent] == wanted


async def test_many_on_their_old_versions_leave_out_those_without(office: Office) -> None:
    origins = []
    for version in (1, None, 2, None, 3):
        fields = {**TOOK_IT, "workflow_version": version} if version else {}
        origins.append(await ended(office, "success" if version else "ignore", **fields))
    sent = await office.replay.replay_all(A, origins, OLD)
    rows = await office.rows()
    assert [(rows[each].origin_id, rows[each].pin) for each in sent] == [
        (origins[0], "wf_1@odd@1"),
        (origins[2], "wf_1@odd@2"),
        (origins[4], "wf_1@odd@3"),
    ]


async def test_more_than_go_at_once(office: Office) -> None:
    origins = [await office.accept() for _ in range(230)]
    sent = await office.replay.replay_all(A, origins, Edits(b'{"n":1}'))
    rows = await office.rows()
    assert [rows[each].origin_id for each in sent] == origins
    assert len(set(sent)) == 230


async def test_nothing_wanted_sends_nothing(office: Office) -> None:
    before = set(await office.rows())
    assert await office.replay.replay_all(A, [], OLD) == []
    assert set(await office.rows()) == before


async def test_nobody_replays_what_is_anothers_or_gone(office: Office, bystander: str) -> None:
    ours, gone = await ended(office, **TOOK_IT), await ended(office, **TOOK_IT)
    await office.put_into(gone, state=DELETED)
    before = set(await office.rows())
    for organization_id, wanted in ((B, ours), (A, bystander), (A, gone), ("", ours)):
        for edits in (OLD, Edits(b"{}")):
            with pytest.raises(NotFound):
                await office.replay.replay(organization_id, wanted, edits)
            with pytest.raises(NotFound):
                await office.replay.replay_all(organization_id, [wanted], edits)
    assert set(await office.rows()) == before


async def test_one_that_is_gone_meanwhile_does_not_hide_the_others(office: Office) -> None:
    ours, gone = await ended(office), await ended(office)
    await office.put_into(gone, state=DELETED)
    sent = await office.replay.replay_all(A, [ours, gone])
    assert [(await office.rows())[each].origin_id for each in sent] == [ours]
