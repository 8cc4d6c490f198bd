"""Callers of the committer that go away, that are too many, or that wait for the end."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from pulse.core.errors import Unavailable
from pulse.storage.committer import Committer
from tests.contract.storage.ledger import BAD, Ledger, Watched, errors, settled


async def held_back(
    committer: Committer, ledger: Ledger, watched: Watched, items: Sequence[int]
) -> list[asyncio.Task[str]]:
    """Callers whose transaction is about to begin."""
    watched.close()
    writing = [asyncio.create_task(committer.write(ledger.put, item)) for item in items]
    await watched.at_the_gate.wait()
    return writing


async def test_a_caller_that_goes_away_before_its_turn_is_not_written(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database, max_batch=2)
    writing = await held_back(committer, ledger, watched, [1, 2, 3, 4])
    writing[2].cancel()
    watched.gate.set()
    answers = await asyncio.gather(*writing, return_exceptions=True)
    assert errors(answers) == {2: asyncio.CancelledError}
    assert await ledger.stored() == [1, 2, 4]


async def test_a_caller_that_goes_away_during_its_turn_disturbs_nobody(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database)
    writing = await held_back(committer, ledger, watched, [1, 2, 3])
    writing[0].cancel()
    watched.gate.set()
    answers = await asyncio.gather(*writing, return_exceptions=True)
    assert errors(answers) == {0: asyncio.CancelledError}
    assert answers[1:] == ["stored 2", "stored 3"]
    assert await ledger.stored() == [1, 2, 3]


async def test_a_bad_row_whose_caller_went_away_harms_nobody(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database)
    writing = await held_back(committer, ledger, watched, [1, BAD, 3, BAD])
    writing[1].cancel()
    watched.gate.set()
    answers = await asyncio.gather(*writing, return_exceptions=True)
    assert errors(answers) == {1: asyncio.CancelledError, 3: IntegrityError}
    assert await ledger.stored() == [1, 3]


async def test_a_batch_whose_callers_all_went_away_is_no_transaction(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database, max_batch=1)
    writing = await held_back(committer, ledger, watched, [1, 2, 3])
    for task in writing[1:]:
        task.cancel()
    watched.gate.set()
    await asyncio.gather(*writing, return_exceptions=True)
    await committer.drain()
    assert watched.committed == 1
    assert await committer.write(ledger.put, 4) == "stored 4"


async def test_the_first_caller_takes_nobody_with_it(ledger: Ledger, watched: Watched) -> None:
    """The first one starts the work, but the work is not a part of it."""
    committer = Committer(ledger.database)
    (first,) = await held_back(committer, ledger, watched, [1])
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(committer.write(ledger.put, 2))
    watched.gate.set()
    assert await second == "stored 2"


async def test_too_many_callers_are_turned_away_at_once(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database, max_batch=2, max_waiting=5)
    writing = await held_back(committer, ledger, watched, [1, 2])
    waiting = [asyncio.create_task(committer.write(ledger.put, n)) for n in range(3, 10)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert {type(task.exception()) for task in done} == {Unavailable}
    watched.gate.set()
    answers = await asyncio.gather(*writing, *waiting, return_exceptions=True)
    assert errors(answers) == {7: Unavailable, 8: Unavailable}
    assert await ledger.stored() == [1, 2, 3, 4, 5, 6, 7]
    assert await committer.write(ledger.put, 8) == "stored 8"


async def test_order_within_a_verb_is_kept(ledger: Ledger) -> None:
    committer = Committer(ledger.database, max_batch=7)
    items = [(n * 37) % 101 for n in range(1, 101)]
    await settled(committer, ledger, items)
    assert await ledger.stored() == items


async def test_order_within_a_verb_is_kept_among_other_verbs_and_bad_rows(ledger: Ledger) -> None:
    committer = Committer(ledger.database, max_batch=16)
    items = [BAD if n % 11 == 0 else n for n in range(100, 1, -1)]
    verbs = [ledger.put if n % 3 else ledger.put_elsewhere for n in range(len(items))]
    await asyncio.gather(
        *(
            committer.write(verb, item if verb == ledger.put or item != BAD else BAD - 1_000)
            for verb, item in zip(verbs, items, strict=True)
        ),
        return_exceptions=True,
    )
    stored = await ledger.stored()
    for own, offset in ((ledger.put, 0), (ledger.put_elsewhere, 1_000)):
        wanted = [item + offset for verb, item in zip(verbs, items, strict=True) if verb == own and item != BAD]
        assert [n for n in stored if (n > 1_000) == (offset > 0)] == wanted


async def test_items_of_one_verb_go_into_one_call(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database)
    await asyncio.gather(*(committer.write(ledger.put if n % 2 else ledger.put_elsewhere, n) for n in range(1, 9)))
    assert ledger.calls == [[1, 3, 5, 7], [1_002, 1_004, 1_006, 1_008]]
    assert watched.committed == 1


async def test_drain_waits_until_all_are_answered(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database, max_batch=2)
    writing = await held_back(committer, ledger, watched, [1, 2, BAD, 4, 5])
    draining = asyncio.create_task(committer.drain())
    assert await ledger.stored() == []
    assert not draining.done()
    watched.gate.set()
    await draining
    assert await ledger.stored() == [1, 2, 4, 5]
    assert errors(await asyncio.gather(*writing, return_exceptions=True)) == {2: IntegrityError}


async def test_drain_has_nothing_to_wait_for(ledger: Ledger) -> None:
    committer = Committer(ledger.database)
    await committer.drain()
    await committer.write(ledger.put, 1)
    await committer.drain()


async def test_nobody_waits_for_ever_when_the_work_is_stopped(ledger: Ledger, watched: Watched) -> None:
    """Whatever ends the committer's task, everybody who was waiting gets an error, and the next caller an answer."""
    committer = Committer(ledger.database, max_batch=2)

    def stopped(_connection: Connection, _items: Sequence[int]) -> Sequence[str]:
        raise asyncio.CancelledError

    watched.close()
    writing = [asyncio.create_task(committer.write(verb, 1)) for verb in (stopped, ledger.put, ledger.put)]
    await watched.at_the_gate.wait()
    watched.gate.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*writing, return_exceptions=True)
    assert errors(answers) == dict.fromkeys(range(3), Unavailable)
    assert await ledger.stored() == []
    assert await committer.write(ledger.put, 2) == "stored 2"
