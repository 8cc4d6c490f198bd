"""What the pool knows of one process: who may come in, and when it has served enough."""

from pulse.sandbox.deno import house as house_module
from pulse.sandbox.deno.limits import Limits
from pulse.sandbox.port import Plan
from tests.unit.sandbox.doubles import flight, house, job

LIMITS = Limits(in_flight=3, in_flight_bytes=100, messages_per_process=5)


def test_messages_come_in_until_it_is_full() -> None:
    one, _ = house(LIMITS)
    for _ in range(3):
        assert one.takes(flight())
        one.board(flight())
    assert not one.takes(flight())
    one.leave(next(iter(one.flights.values())))
    assert one.takes(flight())


def test_bytes_count_but_the_first_always_comes_in() -> None:
    one, _ = house(LIMITS)
    giant = flight(job(b"x" * 500))
    assert one.takes(giant)
    one.board(giant)
    assert not one.takes(flight(job(b"")))
    one.leave(giant)
    one.board(flight(job(b"x" * 60)))
    assert one.takes(flight(job(b"x" * 40)))
    assert not one.takes(flight(job(b"x" * 41)))


def test_leaving_twice_frees_its_bytes_once() -> None:
    one, _ = house(LIMITS)
    stays, leaves = flight(job(b"x" * 60)), flight(job(b"x" * 40))
    one.board(stays)
    one.board(leaves)
    one.leave(leaves)
    one.leave(leaves)
    assert not one.takes(flight(job(b"x" * 41)))


def test_a_suspect_wants_a_process_to_itself() -> None:
    one, _ = house(LIMITS)
    suspect = flight(alone=True)
    assert one.takes(suspect)
    one.board(suspect)
    assert not one.takes(flight())
    one.leave(suspect)
    one.board(flight())
    assert not one.takes(suspect)


def test_no_message_is_in_it_twice() -> None:
    one, process = house(LIMITS)
    first = flight(job(job_id="same"))
    one.board(first)
    assert not one.takes(flight(job(job_id="same")))
    one.leave(first)
    process.unanswered.append("same")
    assert not one.takes(flight(job(job_id="same"))), "the last attempt may still run"
    process.unanswered.clear()
    assert one.takes(flight(job(job_id="same")))


def test_nobody_comes_into_a_dead_or_worn_one() -> None:
    one, process = house(LIMITS)
    process.alive = False
    assert not one.takes(flight())
    process.alive = True
    for _ in range(5):
        passing = flight()
        one.board(passing)
        one.leave(passing)
    assert one.is_worn
    assert not one.takes(flight())


def test_too_many_plans_wear_it_out() -> None:
    one, process = house(LIMITS)
    process.known_plans.update(str(n) for n in range(house_module.MAX_PLANS))
    assert one.is_worn


def test_plans_travel_once() -> None:
    one, _ = house(LIMITS)
    a, b, c = (Plan(name, "{}") for name in "abc")
    assert one.missing_plans(flight(job(plans=(a, b)))) == [a, b]
    assert one.missing_plans(flight(job(plans=(b, c)))) == [c]
    assert one.missing_plans(flight(job(plans=(a, b, c)))) == []


def test_it_is_empty_when_nothing_is_to_come_and_nothing_runs() -> None:
    one, process = house(LIMITS)
    seen = [one.is_empty]
    one.outbox.append(("m", lambda _n: b""))
    seen.append(one.is_empty)
    one.outbox.clear()
    process.unanswered.append("m")
    seen.append(one.is_empty)
    process.unanswered.clear()
    one.board(flight())
    seen.append(one.is_empty)
    assert seen == [True, False, False, False]
