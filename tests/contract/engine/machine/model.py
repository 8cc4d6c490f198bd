"""What an engine promises of runs, as a model in memory: one workflow, its runs, and what each operation does to them.

The workflow is `a` (two attempts, a second apart), `w` (waits for the signal `go`, ten seconds, then goes on without
it) and `b`. In a replay `b` is skipped.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pulse.storage.claims import LEASE_MS, SUSPECT_AFTER

PAUSE_MS, WAIT_MS = 1_000, 10_000
ATTEMPTS = {"a": 2, "b": 1}
LONE_DEATHS = 3
Step = tuple[str, int]


@dataclass
class ModelRun:
    """One run as the database must have it. `steps`: status and attempt of each that was reached."""

    id: str
    since: int
    due: int
    is_replay: bool = False
    status: str = "pending"
    state: str = "ready"
    epoch: int = 0
    owner: str | None = None
    lease_until: int = 0
    deaths: int = 0
    lone_deaths: int = 0
    alone: bool = False
    attempt: int = 1
    has_news: bool = False
    steps: dict[str, Step] = field(default_factory=lambda: {"a": ("pending", 0)})

    @property
    def at(self) -> str:
        """The step that it has come to."""
        return list(self.steps)[-1]

    @property
    def is_suspect(self) -> bool:
        return self.deaths >= SUSPECT_AFTER

    def is_held_by(self, owner: str, epoch: int) -> bool:
        return self.state == "running" and (self.owner, self.epoch) == (owner, epoch)

    def as_stored(self) -> tuple[object, ...]:
        held = self.owner if self.state == "running" else None
        counts = (self.deaths, self.lone_deaths, self.alone) if self.state != "done" else None
        return (self.status, self.state, self.epoch, self.attempt, held, counts, self.steps)


@dataclass
class Model:
    """All runs, the times of the signals `go`, and the time."""

    now: int
    runs: dict[str, ModelRun] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)

    def emit(self, run_id: str) -> None:
        self.runs[run_id] = ModelRun(run_id, self.now, self.now)

    def replay(self, run_id: str) -> None:
        self.runs[run_id] = ModelRun(run_id, self.now, self.now, is_replay=True)

    def go(self) -> None:
        self.gone.append(self.now)
        for run in self.runs.values():
            if run.state != "done" and run.steps.get("w", ("", 0))[0] == "scheduled":
                run.has_news = True
                if run.state == "waiting":
                    run.state, run.due = "ready", min(run.due, self.now)

    # ---- claims ----------------------------------------------------------------------------------------------

    def claim(self, owner: str, *, suspects: bool = False) -> ModelRun | None:
        """The run that is claimed and driven as far as it goes; None where there is none."""
        ready = [run for run in self._in("ready") if run.is_suspect is suspects and run.due <= self.now]
        if not ready:
            return None
        run = min(ready, key=lambda each: (each.due, each.id))
        run.state, run.status, run.owner, run.alone = "running", "running", owner, suspects
        run.epoch += 1
        run.lease_until = self.now + LEASE_MS
        if run.lone_deaths >= LONE_DEATHS:
            self._end(run, "failed", "failed")
        else:
            self._drive(run)
        return run

    def renew(self, held: Iterable[tuple[str, int]], owner: str) -> None:
        for run_id, epoch in held:
            if self.runs[run_id].is_held_by(owner, epoch):
                self.runs[run_id].lease_until = self.now + LEASE_MS

    def hand_back(self, held: Iterable[tuple[str, int]], owner: str) -> None:
        for run_id, epoch in held:
            if self.runs[run_id].is_held_by(owner, epoch):
                self._free(self.runs[run_id])

    def sweep(self) -> int:
        dead = [run for run in self._in("running") if run.lease_until < self.now]
        for run in dead:
            run.deaths += 1
            run.lone_deaths += run.alone
            self._free(run)
        return len(dead)

    def wake(self) -> None:
        for run in self._in("waiting"):
            if run.due <= self.now:
                run.state = "ready"

    def _free(self, run: ModelRun) -> None:
        run.state, run.owner, run.alone = "ready", None, False

    def _in(self, state: str) -> list[ModelRun]:
        return [run for run in self.runs.values() if run.state == state]

    # ---- driving ---------------------------------------------------------------------------------------------

    def succeed(self, run_id: str, owner: str, epoch: int) -> None:
        """The handler that is being called ends well; nothing comes of it where the run was lost."""
        run = self.runs[run_id]
        if run.is_held_by(owner, epoch):
            run.steps[run.at] = ("completed", run.steps[run.at][1])
            self._drive(run)

    def fail(self, run_id: str, owner: str, epoch: int) -> None:
        run = self.runs[run_id]
        if not run.is_held_by(owner, epoch):
            return
        attempt = run.steps[run.at][1]
        if attempt >= ATTEMPTS[run.at]:
            self._end(run, "failed", "failed")
        else:
            run.steps[run.at] = ("scheduled", attempt)
            self._rest(run, self.now + PAUSE_MS)

    def _drive(self, run: ModelRun) -> None:
        """As far as a handler, a wait or its end."""
        status, attempt = run.steps[run.at]
        if run.at == "w" and status == "scheduled":
            status = "completed" if run.has_news else "skipped"
            run.steps["w"] = (status, 0)
        if status in ("pending", "scheduled"):
            self._call(run, run.at, attempt + 1)
        elif run.at == "a" and status == "completed":
            self._reach_the_wait(run)
        elif run.at == "w":
            self._reach_the_last(run)
        elif status == "completed":
            self._end(run, "completed", "completed")

    def _call(self, run: ModelRun, step: str, attempt: int) -> None:
        run.steps[step] = ("running", attempt)

    def _reach_the_wait(self, run: ModelRun) -> None:
        if any(time >= run.since for time in self.gone):
            run.steps["w"] = ("completed", 0)
            self._reach_the_last(run)
        else:
            run.steps["w"] = ("scheduled", 0)
            self._rest(run, self.now + WAIT_MS)

    def _reach_the_last(self, run: ModelRun) -> None:
        if run.is_replay:
            run.steps["b"] = ("skipped", 0)
            self._leave(run, "completed", "done")
        else:
            self._call(run, "b", 1)

    def _rest(self, run: ModelRun, due: int) -> None:
        run.due = due
        self._leave(run, "waiting", "waiting")

    def _end(self, run: ModelRun, status: str, its_step: str) -> None:
        run.steps[run.at] = (its_step, run.steps[run.at][1])
        self._leave(run, status, "done")

    def _leave(self, run: ModelRun, status: str, state: str) -> None:
        run.status, run.state, run.deaths, run.lone_deaths = status, state, 0, 0

    # ---- what people do --------------------------------------------------------------------------------------

    def cancel(self, run: ModelRun) -> bool:
        """Whether it could be."""
        if run.state == "done":
            return False
        run.status, run.state = "canceled", "done"
        run.epoch += 1
        for name, (status, attempt) in run.steps.items():
            if status in ("pending", "scheduled", "running"):
                run.steps[name] = ("skipped", attempt)
        return True

    def retry(self, run: ModelRun) -> bool:
        if run.status != "failed":
            return False
        run.status, run.state, run.due, run.alone = "running", "ready", self.now, False
        run.attempt += 1
        run.steps[run.at] = ("pending", 0)
        return True
