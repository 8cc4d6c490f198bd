"""Random workflows whose steps say in their config what they come to, and a holder that plays them to their end.

`fails`: so many attempts fail first; `holds`: what a condition answers; `comes`: whether the signal of a wait comes;
`rank`: of several calls that could end, the one of the lowest rank ends first.
"""

from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import strategies as st

from pulse.engine.definition.steps import Action, Condition, Delay, Emit, Parallel, RetryPolicy, Step, Wait
from pulse.engine.records import FINISHED_STEP
from pulse.engine.rules.outcomes import Outcome
from pulse.engine.rules.progress import Advance, News, step_at
from tests.unit.engine.drawn import numbered
from tests.unit.engine.rules.driving import DONE, ERROR, FALSE, TRUE, Driven

ENOUGH_TURNS = 2_000


def _config(most_fails: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "fails": st.integers(0, most_fails),
            "holds": st.booleans(),
            "comes": st.booleans(),
            "rank": st.integers(0, 5),
        }
    )


def _leaves(most_fails: int, on_timeout: Sequence[str]) -> st.SearchStrategy[Step]:
    config = _config(most_fails)
    twice = st.just(RetryPolicy(max_attempts=2, backoff_ms=1000))
    calls = {"config": config, "retry_policy": twice}
    on_false = st.sampled_from(["complete", "skip", 2])
    timeout = st.none() | st.integers(1, 5_000)
    ends = st.sampled_from(on_timeout)
    return st.one_of(
        st.builds(Action, st.just("a"), **calls),
        st.builds(Condition, st.just("c"), on_false=on_false, **calls),
        st.builds(Delay, st.just("d"), ms=st.integers(1, 5_000), config=config),
        st.builds(Wait, st.just("w"), st.just("s"), timeout_ms=timeout, on_timeout=ends, config=config),
        st.builds(Emit, st.just("e"), wait=st.booleans(), config=config),
    )


def _flows(leaves: st.SearchStrategy[Step]) -> st.SearchStrategy[tuple[Step, ...]]:
    def around(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
        branch = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.builds(Parallel, st.just("p"), st.lists(branch, min_size=2, max_size=3).map(tuple))

    return st.lists(st.recursive(leaves, around, max_leaves=6), min_size=1, max_size=4).map(numbered)


# Where two of two attempts fail, the step does; one of an emitted signal's is enough.
FLOWS = _flows(_leaves(2, ("fail", "complete", "skip")))
FLOWS_THAT_COMPLETE = _flows(_leaves(0, ("complete", "skip")))


class Player(Driven):
    """Plays a workflow, and sees at every record that nothing is out of order. `good`: nothing fails any more."""

    def __init__(self, steps: Sequence[Step], crashes: Collection[int] = ()) -> None:
        super().__init__(*steps)
        self.good = False
        self._crashes = crashes
        self._turn = 0

    def play(self) -> Advance:
        """What the run ended with."""
        for _ in range(ENOUGH_TURNS):
            if self._dies():
                self.ask()
            following = self.look()
            self._is_in_order()
            if following.ended is not None:
                return following
            if self._dies():
                self.crash()
            elif self.calls:
                self._end_a_call()
            elif not self._news_come():
                assert following.due is not None, f"nothing will ever happen: {self.statuses()}"
                self.until(following.due)
        raise AssertionError("it does not end")

    def outcome(self, step: Action | Condition, attempt: int) -> Outcome:
        if attempt <= step.config["fails"] and not self.good:
            return ERROR
        if isinstance(step, Condition):
            return TRUE if step.config["holds"] else FALSE
        return DONE

    def _dies(self) -> bool:
        self._turn += 1
        return self._turn in self._crashes

    def _end_a_call(self) -> None:
        row, step = min(self.calls.values(), key=lambda call: (call[1].config["rank"], call[0].path))
        outcome = self.outcome(step, row.attempt)
        if self._dies():
            self.crash()
        else:
            self.finish(row.step_name, outcome)

    def _news_come(self) -> bool:
        """Whether something came for a step that waits."""
        for path, row in sorted(self.steps.items()):
            if row.status != "scheduled" or path in self.news:
                continue
            step = step_at(self.workflow, path)
            if isinstance(step, Emit):
                self.news[path] = News({}, error="no" if step.config["fails"] and not self.good else None)
                return True
            if isinstance(step, Wait) and comes(step, good=self.good):
                self.news[path] = News({"came": True})
                return True
        return False

    def _is_in_order(self) -> None:
        for path, row in self.steps.items():
            before, _, index = path.rpartition(".")
            earlier = [f"{before}.{number}" if before else str(number) for number in range(int(index))]
            assert all(self.steps[each].status in FINISHED_STEP for each in earlier), f"{row.step_name} is early"
            inside = [each for place, each in self.steps.items() if place.startswith(f"{path}.")]
            if row.status in FINISHED_STEP:
                assert all(each.status in FINISHED_STEP for each in inside), (
                    f"{row.step_name} ended before its branches"
                )
            if row.status == "completed":
                assert all(each.status != "failed" for each in inside)


def comes(step: Wait, *, good: bool) -> bool:
    """Whether the signal that the step waits for comes; where nothing else could end the wait, it does."""
    return bool(step.config["comes"]) or step.timeout_ms is None or (good and step.on_timeout == "fail")


def expected(steps: Sequence[Step]) -> dict[str, str]:
    """The statuses that the steps come to where nothing fails, as the specification says it."""
    said: dict[str, str] = {}
    skipping = 0
    for step in steps:
        if skipping:
            skipping -= 1
            said[step.name] = "skipped"
            continue
        said[step.name] = "completed"
        if isinstance(step, Parallel):
            for branch in step.branches:
                said |= expected(branch)
        if isinstance(step, Condition) and not step.config["holds"]:
            if step.on_false == "complete":
                return said
            skipping = 1 if step.on_false == "skip" else step.on_false
        if isinstance(step, Wait) and not comes(step, good=True):
            said[step.name] = "skipped"
            if step.on_timeout == "complete":
                return said
    return said
