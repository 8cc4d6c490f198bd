"""The frames between parent and child: what is written, what is read, and what is refused."""

import json
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.sandbox.deno import wire
from pulse.sandbox.deno.wire import BrokenFrame, Said
from pulse.sandbox.port import Answer, Asked, Job, Plan, Surroundings, Tenant, Trial
from tests.unit.sandbox.doubles import job

BODY = b'{"log":[],"errors":[],"reasons":[],"kept":[],"globals":{},"tooLarge":[]}'
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


ONE = job(plans=(Plan("p1", "{}"), Plan("p2", "{}")))


def said(plans: list[int]) -> Said:
    """The header of a frame that asks for effects of these plans."""
    return Said(t="wait", plans=plans)


def parts(frame: bytes) -> tuple[dict[str, object], bytes]:
    """Header and payload as the child would see them."""
    assert frame.count(b"\n") == 1
    assert frame.endswith(b"\n")
    header, _, payload = frame[:-1].partition(b"\t")
    return json.loads(header), payload


@given(job_id=NAMES, plan_id=NAMES, seed=st.tuples(*[st.integers(0, 2**32 - 1)] * 4), at=st.integers(0, 2**53))
def test_a_run_frame_is_one_line_whatever_the_names(
    job_id: str, plan_id: str, seed: tuple[int, int, int, int], at: int
) -> None:
    plan = Plan(plan_id, json.dumps({"id": plan_id, "nodes": [{"post": "a\tb\nc"}]}))
    message = json.dumps({"a": "\u2028\t"}).encode()
    frame = wire.run_frame(7, Job(job_id, Tenant("o", "e"), [plan], message, at, seed), [plan], None)
    header, payload = parts(frame)
    expected = {"t": "run", "n": 7, "id": job_id, "plans": [plan_id], "at": at, "seed": list(seed)}
    assert header == {**expected, "define": [json.loads(plan.text)]}
    assert payload == message


def test_a_plan_that_is_known_is_only_named() -> None:
    plan = Plan("p", '{"id":"p"}')
    header, _ = parts(wire.run_frame(1, job(plans=(plan,)), [], None))
    assert (header["plans"], "define" in header) == (["p"], False)


@given(place=NAMES, entry=NAMES, value=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_few_messages_have_is_said_of_those_only(place: str, entry: str, value: str) -> None:
    text = json.dumps({"id": place, "variables": [["KEY", value]], "workflows": {}})
    around, trial = Surroundings(place, text), Trial(json.dumps({"n1": {"globals": {"a": value}}}))
    plain, _ = parts(wire.run_frame(1, job(), [], None))
    assert {"settle", "place", "entry", "trace"} & set(plain) == set()
    of = msgspec.structs.replace(job(b'{"a":1}'), entry=entry, surroundings=around, trial=trial)
    header, payload = parts(wire.run_frame(1, of, [], around))
    assert (header["settle"], header["place"], header["entry"]) == (json.loads(text), place, entry)
    assert header["trace"] == {"pins": {"n1": {"globals": {"a": value}}}}
    assert payload == b'{"a":1}'
    known, _ = parts(wire.run_frame(1, of, [], None))
    assert ("settle" in known, known["place"]) == (False, place)


@given(job_id=NAMES, value=st.text())
def test_answers_drops_and_leave_to_go_on(job_id: str, value: str) -> None:
    payload = json.dumps(value).encode()
    header, body = parts(wire.answer_frame(3, job_id, 9, Answer(ok=False, payload=payload), 5))
    assert (header, body) == ({"t": "answer", "n": 3, "id": job_id, "seq": 9, "ok": False, "at": 5}, payload)
    assert parts(wire.drop_frame(4, job_id)) == ({"t": "drop", "n": 4, "id": job_id}, b"")
    assert parts(wire.go_frame(5, job_id)) == ({"t": "go", "n": 5, "id": job_id}, b"")


def test_a_message_that_stands_still_by_itself_says_so() -> None:
    said, payload = wire.read_frame(b'{"t":"wait","n":2,"id":"m","paused":true}\t[]')
    assert (said, payload) == (Said(t="wait", n=2, id="m", paused=True), b"[]")
    assert not wire.read_frame(b'{"t":"wait","n":2,"id":"m"}\t[]')[0].paused


def test_what_the_child_says_is_read() -> None:
    line = b'{"t":"done","n":2,"id":"m","status":"fail","errorType":"TypeError","error":"no","strained":true,"x":1}\t{}'
    said, payload = wire.read_frame(line)
    assert said == Said(t="done", n=2, id="m", status="fail", error_type="TypeError", error="no", strained=True)
    assert payload == b"{}"


DEEP = b"[" * (sys.getrecursionlimit() * 100)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"\t", b"{}", b"null", b"[]", b'"ready"', b"{", b"\xff", b'{"t":"\xc3"}', b"garbage"),
        *(b'{"t":1}', b'{"t":"done","n":"1"}', b'{"t":"done","n":1.5}', b'{"t":"done","id":1}'),
        *(
            b'{"t":"done","strained":1}',
            b'{"t":"wait","paused":1}',
            b'{"t":"done","version":"1"}',
            b'{"t":"done","error":"\\ud800"}',
        ),
        *(b'{"t":"done"} x', b'{"t":"done","x":' + DEEP),
    ],
    ids=lambda line: repr(line[:30]),
)
def test_headers_that_are_refused(line: bytes) -> None:
    with pytest.raises(BrokenFrame):
        wire.read_frame(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    try:
        header, payload = wire.read_frame(line)
        wire.read_verdict(header, payload, 1000)
        wire.read_asks(payload, header, ONE)
    except BrokenFrame:
        pass


def test_asks_are_read_and_their_arguments_only_when_needed() -> None:
    payload = b'[{"seq":1,"fn":"call","args":[1,{"a":null}]},{"seq":2,"fn":"other","args":[],"more":1}]'
    asks = wire.read_asks(payload, said([0, 1]), ONE)
    assert asks == [Asked(1, "call", [1, {"a": None}], "p1"), Asked(2, "other", [], "p2")]


@pytest.mark.parametrize("plans", [[], [2], [-3], [0, 0]])
def test_asks_of_no_plan_of_the_message_are_refused(plans: list[int]) -> None:
    with pytest.raises(BrokenFrame):
        wire.read_asks(b'[{"seq":1,"fn":"call","args":[]}]', said(plans), ONE)


@pytest.mark.parametrize(
    "asks",
    [b"", b"{}", b"[1]", b"[{}]", b'[{"seq":1,"fn":"x"}]', b'[{"seq":"1","fn":"x","args":[]}]', b"[" + DEEP, b"[]]"],
    ids=lambda asks: repr(asks[:30]),
)
def test_asks_that_are_refused(asks: bytes) -> None:
    with pytest.raises(BrokenFrame):
        wire.read_asks(asks, said([0]), ONE)


@pytest.mark.parametrize("arguments", [b"{}", b"1", b'"x"', b"[1e999]", b"[" * 100_000 + b"]" * 100_000], ids=range(5))
def test_arguments_that_no_python_reads_fail_their_effect_only(arguments: bytes) -> None:
    if len(arguments) < 100:
        [ask] = wire.read_asks(b'[{"seq":1,"fn":"call","args":%b}]' % arguments, said([0]), ONE)
    else:
        ask = unread()
    assert not ask.is_readable
    answer = wire.bad_arguments(ask.function)
    assert not answer.ok
    assert json.loads(answer.payload)["code"] == "invalid_arguments"


def unread() -> Asked:
    """What the reader of the whole frame would not even take apart."""
    return wire.AskFrame(1, "call", msgspec.Raw(b"[" * 100_000 + b"]" * 100_000)).by("p1")


def test_a_verdict_is_read() -> None:
    done = Said(t="done", status="success", workflow="w", workflow_name="W", version=3, code="x")
    verdict = wire.read_verdict(done, BODY, 1000)
    assert (verdict.status, verdict.workflow_id, verdict.workflow_name) == ("success", "w", "W")
    assert (verdict.workflow_version, verdict.code, verdict.body) == (3, "x", BODY)


def test_a_long_error_is_cut() -> None:
    verdict = wire.read_verdict(Said(t="done", status="fail", error="x" * 9_000), BODY, 1000)
    assert verdict.error == "x" * 2_000


@pytest.mark.parametrize(
    ("status", "body", "limit"),
    [
        *(("excellent", BODY, 1000), ("", BODY, 1000), ("canceled", BODY, 1000), ("success", BODY, len(BODY) - 1)),
        *(("success", b"", 1000), ("success", b"[]", 1000), ("success", b"{", 1000), ("success", b"{} {}", 1000)),
        ("success", b'{"log":' + DEEP + b"}", len(DEEP) * 2),
    ],
    ids=range(9),
)
def test_verdicts_that_are_refused(status: str, body: bytes, limit: int) -> None:
    with pytest.raises(BrokenFrame):
        wire.read_verdict(Said(t="done", status=status), body, limit)
