"""Every example runs as a program, and says what it did."""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pulse import Engine, Signal
from tests.integration.examples.conftest import EXAMPLES, example

SAID = {
    "approval": ["claim-1: paid, as Grace approved", "claim-2: completed", "claim-3: waiting"],
    "chaining": ["cache: closed, because auto-remediation restarted it"],
    "children": ["order-1 is sent after 2 other runs", "Order    completed, parent: None"],
    "cleanup": [f"2026-01-0{day}T01:00:00+00:00: 7 records deleted" for day in (1, 2, 3)],
    "heartbeat": ["web-server: completed, nothing to do"],
    "idempotency": ["runs: 1, calls of the bank: 2, payments: [40]"],
    "notification": ["told: #alerts, +15550100, on-call@example.com"],
    "orders": ["order-1: confirmed; order-2: 402, then 404; runs: 1"],
    "recovery": ["completed now: 2", "canceled: Superseded by a newer deployment"],
    "replay": ["replay   compute_total: completed, send_receipt: skipped"],
    "trial": ["plans now: {'ada': 'free', 'grace': 'pro'}"],
    "watching": ["hook: step import_rows is completed", "00:01:00 run_completed"],
}
# `app` is tested below, `running` runs the others, and `test_trial` is a test.
OTHERS = {"app", "running", "test_trial"}


@pytest.mark.parametrize("name", sorted(SAID))
def test_an_example_runs_by_itself(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = EXAMPLES / f"{name}.py"
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out
    assert [line for line in SAID[name] if line not in said] == []


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SAID.keys() | OTHERS


def test_every_example_is_listed() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f"`{path.name}`" not in readme] == []


def test_a_program_takes_the_database_that_it_is_given(tmp_path: Path) -> None:
    database = tmp_path / "mine.db"
    command = [sys.executable, str(EXAMPLES / "recovery.py"), f"sqlite+aiosqlite:///{database}"]
    for _again in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert database.exists()


def test_the_example_of_a_test_passes() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", str(EXAMPLES / "test_trial.py")]
    done = subprocess.run(command, cwd=EXAMPLES.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


# ---- an application as a module ------------------------------------------------------------------------------------


def program(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """examples/engine/app.py on a database of its own."""
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / "app.py"), *arguments],
        env={**os.environ, "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/pulse.db"},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_application_greets_once(tmp_path: Path) -> None:
    said, _ = program(tmp_path, "--once").communicate(timeout=50)
    assert said == "Hello, Ada.\n"


async def test_the_application_works_until_it_is_told_to_end(tmp_path: Path) -> None:
    with program(tmp_path) as worker:
        assert worker.stdout is not None
        assert await asyncio.to_thread(worker.stdout.readline) == "working\n"
        engine = Engine(f"sqlite+aiosqlite:///{tmp_path}/pulse.db")
        trigger = await engine.emit(Signal("acme", "door", "visitor.arrived", payload={"name": "Grace"}))
        (run,) = await engine.get_runs_by_trigger(trigger.id)
        while run.status != "completed":
            (run,) = await engine.get_runs_by_trigger(trigger.id)
        await engine.stop()
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 30) == 0
    assert run.context == {"greet": {"said": "Hello, Grace."}}


def test_the_engine_of_the_application_is_a_name_in_its_module() -> None:
    assert isinstance(example("app").engine, Engine)
