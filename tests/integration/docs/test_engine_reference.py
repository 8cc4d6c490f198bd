"""The tables of docs/reference/engine.md are complete: they name what the code knows, and nothing else."""

import dataclasses
import inspect
import re
from importlib import import_module
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

import pulse
from pulse import Engine
from pulse.core import schedule
from pulse.core.errors import PulseError, Unavailable
from pulse.engine import records
from pulse.engine.definition import checks, steps, workflow
from pulse.engine.engine import Engine as Documented
from pulse.engine.rules import outcomes
from pulse.engine.store import definitions
from pulse.engine.store.forms import values
from pulse.engine.store.forms.tables import engine_tables
from pulse.engine.work import executor, plant, telemetry
from pulse.storage import claims
from tests.integration.docs.engine_pages import text_of
from tests.integration.docs.page import ROOT, names_in, tables_below

TEXT = text_of("docs/reference/engine.md")
SOURCE = ROOT / "src/pulse"


def column(heading: str, table: int = 0, at: int = 0) -> list[str]:
    """The names in one column of a table below a heading."""
    return [name for row in tables_below(TEXT, heading)[table] for name in names_in(row[at])]


def numbers_in(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,.]*\d|\d", text)}


def source(name: str) -> str:
    return (SOURCE / name).read_text(encoding="utf-8")


def test_every_name_is_there() -> None:
    assert sorted(column("Names")) == sorted(pulse.__all__)


def test_every_option_is_there_with_its_default() -> None:
    options = inspect.signature(Engine).parameters
    told = {row[0].strip("`"): row[1] for row in tables_below(TEXT, "Engine")[0]}
    assert list(told) == [name for name in options if name != "database"]
    plain = {name: default for name, default in told.items() if default.startswith("`")}
    assert plain == {name: f"`{options[name].default!r}`".replace("'", '"') for name in plain}
    assert (options["keep_runs"].default.days, options["handler_grace"].default.seconds) == (90, 3600)
    assert plant.THREADS == 32


def test_every_method_is_there() -> None:
    public = {name for name in dir(Documented) if not name.startswith("_")}
    assert set(column("Engine", 1)) == public


@pytest.mark.parametrize(
    ("table", "known"), [(0, records.RunStatus), (1, records.StepStatus), (2, records.SkipReason)], ids=str
)
def test_every_status_is_there(table: int, known: object) -> None:
    assert sorted(column("Statuses", table)) == sorted(get_args(known))


def test_every_field_of_a_step_is_there() -> None:
    told, kinds = dict[str, set[str]](), list[str]()
    for kind, field, *_ in tables_below(TEXT, "Steps")[0]:
        kinds = names_in(kind) or ([each.__name__ for each in steps.KINDS.values()] if kind else kinds)
        for each in kinds:
            told.setdefault(each, set()).update(names_in(field))
    assert told == {each.__name__: {f.name for f in dataclasses.fields(each)} for each in steps.KINDS.values()}


def test_every_field_of_a_retry_policy_is_there_with_its_default() -> None:
    rows = {row[0].strip("`"): row[1] for row in tables_below(TEXT, "Steps")[1]}
    fields = {field.name: field.default for field in dataclasses.fields(steps.RetryPolicy)}
    assert rows.keys() == fields.keys()
    for name in ("max_attempts", "backoff_ms", "max_backoff_ms"):
        assert numbers_in(rows[name]) == {fields[name]}


def test_every_field_of_a_workflow_is_there() -> None:
    fields = dataclasses.fields(workflow.Workflow)
    assert sorted(column("Workflows")) == sorted(field.name for field in fields)
    priority = next(field for field in fields if field.name == "priority")
    (told,) = [row[1] for row in tables_below(TEXT, "Workflows")[0] if row[0] == "`priority`"]
    assert int(told) == priority.default


def test_every_kind_of_entry_of_the_timeline_is_there() -> None:
    assert sorted(column("Timeline")) == sorted(get_args(records.TimelineType))
    (levels,) = [line for line in TEXT.splitlines() if line.startswith("Levels of logs")]
    assert names_in(levels) == list(get_args(records.Level))


def test_every_error_has_its_code_and_its_place() -> None:
    for place, code, _ in tables_below(TEXT, "Errors")[0]:
        module, _, name = place.strip("`").rpartition(".")
        error = getattr(import_module(module), name)
        assert issubclass(error, PulseError)
        assert code == f"`{error.code}`"
        assert issubclass(error, Unavailable) is name.startswith("Storage")


def test_no_error_of_the_engine_is_left_out() -> None:
    told = {place.rpartition(".")[2] for place in column("Errors")}
    raised = set()
    for path in (SOURCE / "engine").rglob("*.py"):
        raised |= set(re.findall(r"class (\w+)\((?:Conflict|InvalidInput|PulseError|ActionFailed)\)", path.read_text()))
    assert raised <= told


def test_every_fault_is_there() -> None:
    below = TEXT.split("Codes of the faults of a workflow", 1)[1].split("\n## ", 1)[0]
    known = re.findall(r'Fault\(\s*(?:f?"[^"]*"|[\w.]+),\s*"(\w+)"', source("engine/definition/checks.py"))
    known += ["wrong_type", *re.findall(r'Fault\("\w+", "(\w+)"', source("core/schedule.py"))]
    known += [f"bad_{name}" for name, _ in schedule._FIELDS]
    # A workflow's times always have a policy that is known, and a time.
    assert set(names_in(below)) == set(known) - {"missing", "unknown_policy"}


def test_every_table_has_its_columns() -> None:
    told = {row[0].strip("`"): names_in(row[1]) for row in tables_below(TEXT, "Tables")[0]}
    tables = engine_tables("").metadata.tables.values()
    assert {name: sorted(columns) for name, columns in told.items() if name != "schema_versions"} == {
        table.name: sorted(each.name for each in table.c) for table in tables
    }
    assert set(column("Tables", 1)) == {claims.READY, claims.RUNNING, claims.BLOCKED, claims.WAITING, "done"}


def test_the_limits_are_those_of_the_code() -> None:
    told = numbers_in(" ".join(row[1] for row in tables_below(TEXT, "Limits")[0]))
    day = 86_400_000
    known: set[float] = {checks.MAX_STEPS, checks.MAX_DEPTH, checks.MAX_NAME, *checks.ATTEMPTS, *checks.BACKOFF_MS}
    known |= {checks.MAX_DELAY_MS / day, checks.MAX_TIMEOUT_MS / day, checks.MAX_WAIT_MS / day}
    known |= {outcomes.LONGEST_PAUSE_S / 86_400, values.MAX_BYTES, values.WARN_BYTES}
    known |= {executor.MAX_LOGS, definitions.KEPT_VERSIONS, 100_000, 1_000_000, 0.001, 31}
    assert told == known
    assert f"at most {outcomes.MAX_ERROR:,} characters" in " ".join(TEXT.split())


def test_the_counters_are_those_of_the_code() -> None:
    registry = CollectorRegistry()
    counters = telemetry._counters(registry)
    told = {row[0].strip("`"): tuple(names_in(row[1])) for row in tables_below(TEXT, "Counters and spans")[0]}
    assert told == {f"{each._name}_total": each._labelnames for each in counters.values()}
