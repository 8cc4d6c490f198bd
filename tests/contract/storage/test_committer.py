"""Group commit: shared transactions, answers after the commit, and one bad row that is nobody else's trouble."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from pulse.core.errors import StorageDown, StorageFull, Unavailable
from pulse.storage.committer import Committer
from tests.contract.conftest import OpenDatabase
from tests.contract.storage.ledger import BAD, Ledger, Watched, errors, settled


async def test_many_coroutines_share_one_transaction(ledger: Ledger, watched: Watched) -> None:
    answers = await settled(Committer(ledger.database), ledger, range(1, 201))
    assert answers == [f"stored {n}" for n in range(1, 201)]
    assert watched.committed == 1
    assert ledger.calls == [list(range(1, 201))]
    assert await ledger.stored() == list(range(1, 201))


async def test_a_lone_caller_waits_for_nobody(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database)
    for number in (1, 2, 3):
        assert await committer.write(ledger.put, number) == f"stored {number}"
        assert watched.committed == number


async def test_what_comes_during_a_commit_shares_the_next(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database)
    watched.close()
    first = asyncio.create_task(committer.write(ledger.put, 1))
    await watched.at_the_gate.wait()
    rest = asyncio.gather(*(committer.write(ledger.put, n) for n in range(2, 50)))
    watched.gate.set()
    await asyncio.gather(first, rest)
    assert ledger.calls == [[1], list(range(2, 50))]
    assert watched.committed == 2


async def test_a_transaction_holds_no_more_than_its_limit(ledger: Ledger, watched: Watched) -> None:
    await settled(Committer(ledger.database, max_batch=10), ledger, range(1, 26))
    assert [len(call) for call in ledger.calls] == [10, 10, 5]
    assert watched.committed == 3


async def test_the_answer_comes_after_the_commit(ledger: Ledger, open_database: OpenDatabase) -> None:
    committer = Committer(ledger.database)
    other = open_database()

    async def check(number: int) -> None:
        await committer.write(ledger.put, number)
        assert number in await ledger.stored(other)

    await asyncio.gather(*(check(number) for number in range(1, 21)))


async def test_no_answer_before_the_commit(ledger: Ledger, watched: Watched) -> None:
    """The gate stands before the transaction: as long as it is closed nobody is answered."""
    committer = Committer(ledger.database)
    watched.close()
    writing = [asyncio.create_task(committer.write(ledger.put, n)) for n in range(1, 6)]
    await watched.at_the_gate.wait()
    assert await ledger.stored() == []
    assert not any(task.done() for task in writing)
    watched.gate.set()
    await asyncio.gather(*writing)


@pytest.mark.parametrize("place", [0, 1, 31, 62, 63])
async def test_one_bad_row_is_its_callers_trouble_alone(ledger: Ledger, watched: Watched, place: int) -> None:
    items = list(range(1, 65))
    items[place] = BAD
    answers = await settled(Committer(ledger.database), ledger, items)
    assert errors(answers) == {place: IntegrityError}
    assert await ledger.stored() == [item for item in items if item != BAD]
    assert watched.committed + watched.rolled_back < 20


async def test_several_bad_rows(ledger: Ledger, watched: Watched) -> None:
    items = [BAD if n % 7 == 0 else n for n in range(1, 50)]
    answers = await settled(Committer(ledger.database), ledger, items)
    assert errors(answers) == {place: IntegrityError for place, item in enumerate(items) if item == BAD}
    assert await ledger.stored() == [item for item in items if item != BAD]


async def test_only_bad_rows(ledger: Ledger) -> None:
    answers = await settled(Committer(ledger.database), ledger, [BAD] * 9)
    assert errors(answers) == dict.fromkeys(range(9), IntegrityError)
    assert await ledger.stored() == []


async def test_two_rows_that_exclude_each_other(ledger: Ledger) -> None:
    answers = await settled(Committer(ledger.database), ledger, [1, 2, 2, 3])
    assert errors(answers) == {2: IntegrityError}
    assert await ledger.stored() == [1, 2, 3]


async def test_a_bad_row_of_one_verb_does_not_harm_another(ledger: Ledger) -> None:
    committer = Committer(ledger.database)
    answers = await asyncio.gather(
        committer.write(ledger.put, 1),
        committer.write(ledger.put_elsewhere, -2_000),
        committer.write(ledger.put_elsewhere, 5),
        committer.write(ledger.put, 2),
        return_exceptions=True,
    )
    assert errors(answers) == {1: IntegrityError}
    assert answers[2] == "stored 1005"
    assert sorted(await ledger.stored()) == [1, 2, 1005]


@pytest.mark.parametrize("failure", [StorageFull, StorageDown, Unavailable])
async def test_a_database_that_fails_fails_everybody(
    ledger: Ledger, watched: Watched, failure: type[Unavailable]
) -> None:
    committer = Committer(ledger.database)
    watched.failure = failure()
    answers = await settled(committer, ledger, range(1, 21))
    assert errors(answers) == dict.fromkeys(range(20), failure)
    assert (watched.committed, watched.rolled_back) == (0, 1)
    assert await ledger.stored() == []
    watched.failure = None
    assert await committer.write(ledger.put, 1) == "stored 1"


async def test_a_database_that_fails_fails_only_who_was_in_it(ledger: Ledger, watched: Watched) -> None:
    committer = Committer(ledger.database, max_batch=5)
    watched.close()
    watched.failure = StorageFull()
    writing = asyncio.gather(*(committer.write(ledger.put, n) for n in range(1, 11)), return_exceptions=True)
    await watched.at_the_gate.wait()
    watched.one_by_one = True
    watched.at_the_gate.clear()
    watched.gate.set()
    # The pump comes to the gate again with the second half: by then the first has failed.
    await watched.at_the_gate.wait()
    watched.failure = None
    watched.one_by_one = False
    watched.gate.set()
    answers = await writing
    assert errors(answers) == dict.fromkeys(range(5), StorageFull)
    assert await ledger.stored() == [6, 7, 8, 9, 10]


async def test_a_verb_that_answers_too_few_stores_nothing(ledger: Ledger) -> None:
    def forgetful(connection: Connection, items: Sequence[int]) -> Sequence[str]:
        ledger.put(connection, items)
        return []

    committer = Committer(ledger.database)
    answers = await asyncio.gather(
        *(committer.write(forgetful, n) for n in (1, 2)), committer.write(ledger.put, 3), return_exceptions=True
    )
    assert errors(answers) == {0: ValueError, 1: ValueError}
    assert await ledger.stored() == [3]
