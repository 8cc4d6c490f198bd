"""The tables of docs/reference/workflow-format.md are complete: they name what the code knows, and nothing else."""

import json
import re
from typing import Any

import msgspec
import pytest
import yaml
from pydantic import BaseModel

from pulse.cli.trials import of_document, run_case, sandbox
from pulse.console import bodies
from pulse.core import conditions
from pulse.effects import journaled
from pulse.evaluator import cases, reasons
from pulse.messages import links
from pulse.sandbox.deno.limits import Limits
from pulse.workflows import tree
from pulse.workflows.records import MODES
from tests.integration.docs.page import ROOT, names_in, read_page, tables_below, workflow_format

TEXT = workflow_format()
PAGE = read_page(TEXT)
SOURCE = ROOT / "src/pulse"
RUNTIME = SOURCE / "sandbox/deno/runtime"
OF_A_NODE = {"entityId", "entityName", "entityType"}
ALWAYS = {"ts", "elapsed", "type", "action"}
NONE = "—"
# A log of ten thousand entries; a chain of ten workflows; a pin on a result.
LEFT_BY_NO_EXAMPLE = {("log", "cut"), ("error", "sub_workflow_trigger_failed"), ("result", "pinned")}


def source(*names: str) -> str:
    return "\n".join((SOURCE / name).read_text(encoding="utf-8") for name in names)


def runtime() -> str:
    """What writes the log: the runtime without what it says of mistakes and without what stands in a realm."""
    paths = [*RUNTIME.glob("*.js"), *RUNTIME.glob("walk/*.js"), *RUNTIME.glob("told/*.js")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def found(pattern: str, text: str) -> set[str]:
    """Everything that the groups of a pattern match."""
    matches = re.finditer(pattern, text)
    return {group for match in matches for group in match.groups() if group}


def table(heading: str, number: int = 0) -> list[list[str]]:
    return tables_below(TEXT, heading)[number]


def column(rows: list[list[str]], at: int = 0) -> list[str]:
    """The names in one column of a table, in its order."""
    return [name for row in rows for name in names_in(row[at])]


def first_names(heading: str) -> set[str]:
    """The names in the first columns of all tables below a heading."""
    return {name for rows in tables_below(TEXT, heading) for name in column(rows)}


def fields_of(body: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in body.model_fields.items()}


def struct_fields(struct: type[msgspec.Struct]) -> set[str]:
    return set(struct.__struct_encode_fields__)


# ---- fields ------------------------------------------------------------------------------------------------------


def test_every_field_of_an_entity_is_there() -> None:
    assert set(column(table("Entities"))) == fields_of(bodies.EntityBody)


def test_every_field_of_a_workflow_is_there() -> None:
    api = first_names("The API form")
    assert api == fields_of(bodies.WorkflowBody)
    assert set(column(table("The document"))) == api - {"organizationId", "environmentId"} | {"entities"}


@pytest.mark.parametrize(
    ("body", "heading"),
    [
        (bodies.TriggerBody, "Direct triggers"),
        (bodies.ReplayOneBody, "Versions and replays"),
        (bodies.TestBody, "Test files"),
        (bodies.Pin, "Test files"),
    ],
)
def test_every_field_of_a_request_is_there(body: type[BaseModel], heading: str) -> None:
    assert first_names(heading) >= fields_of(body)


def test_every_field_of_a_replay_of_many_is_named() -> None:
    section = TEXT.split("## Versions and replays", 1)[1].split("\n## ")[0]
    assert set(names_in(section)) >= fields_of(bodies.ReplayBody)


def test_every_field_of_a_test_file_is_there() -> None:
    known = [struct_fields(struct) for struct in (cases.TestFile, cases.Case, cases.Expected)]
    assert first_names("Test files") == set().union(*known) | fields_of(bodies.Pin) | fields_of(bodies.TestBody)


def test_every_type_of_node_and_every_mode_is_there() -> None:
    assert set(column(table("Types of nodes"))) == set(tree.KINDS)
    assert column(table("How an event branches")) == list(MODES)


# ---- conditions --------------------------------------------------------------------------------------------------


def test_every_comparison_is_there() -> None:
    assert set(column(table("Comparisons"))) == conditions.COMPARISONS
    assert len(column(table("Comparisons"))) == len(conditions.COMPARISONS)


def test_the_examples_compare_in_every_way_and_with_what_is_missing() -> None:
    (example,) = [example for example in PAGE.examples if example.contents["name"] == "Comparisons"]
    rows = [
        row
        for block in example.tests
        for case in yaml.safe_load(block.text)["cases"]
        for row in case["message"]["payload"]
    ]
    assert {row["is"] for row in rows if row["holds"]} == conditions.COMPARISONS
    assert {row["is"] for row in rows if not row["holds"]} == conditions.COMPARISONS
    missing = {row["is"]: row["holds"] for row in rows if "x" not in row}
    told = {name: row[2] == "true" for row in table("Comparisons") for name in names_in(row[0])}
    assert missing.items() <= told.items()


# ---- codes -------------------------------------------------------------------------------------------------------


def test_every_fault_is_there() -> None:
    drawn = source(*(f"workflows/{name}.py" for name in ("tree", "plan", "branches", "transfer")))
    checked = source("core/conditions.py", "cli/workflows/apply.py", "cli/workflows/configurations.py")
    known = found(r"""[Ff]ault\(\s*(?:f?"[^"]*"|[\w.]+),\s*"(\w+)",""", drawn + checked)
    assert set(column(table("What is refused"))) == known


def test_every_reason_is_there() -> None:
    known = found(r"#refuse\('(\w+)'", runtime()) | found(r"status: 'ignore', code: '(\w+)'", runtime())
    python = source("evaluator/routing.py", "workflows/matching.py")
    known |= found(r"""code=(?:None if \w+ else )?"(\w+)"(?: if [\w.]+ else "(\w+)")?""", python)
    known |= found(r'"code": "(\w+)"', python)
    told = first_names("Why a message was ignored") - {"code", "entity", "rule", "seen", "detail"}
    assert told == known
    assert reasons.MAX_REASONS == 50


def test_every_code_of_an_error_is_there() -> None:
    known = found(r"code: '(\w+)'|error\('\w+', '(\w+)'", runtime())
    known -= found(r"status: 'ignore', code: '(\w+)'", runtime())
    ended = source("sandbox/deno/verdicts.py", "evaluator/evaluate.py")
    known |= found(r'_failure\(\s*"\w+",\s*"(\w+)"', ended)
    rows = table("Errors", -1)
    assert set(column(rows, 1)) == known
    kinds = found(r"errorType: '(\w+)'|'([A-Z]\w+Error)'", runtime()) | found(r'_failure\(\s*"(\w+)"', ended)
    assert set(column(rows)) >= kinds


def test_every_failure_of_a_trigger_is_there() -> None:
    known = found(r'EffectFailed\("(\w+)"', source("effects/world/sub_workflows.py"))
    known |= {links.TooDeep.code, links.TooManyDescendants.code}
    known |= found(r'EffectFailed\("(not_available|internal_error)"', source("effects/journaled.py"))
    assert set(column(table("When a workflow cannot be started"))) == known


# ---- the log -----------------------------------------------------------------------------------------------------


def entries() -> dict[tuple[str, str], tuple[bool | None, list[str]]]:
    """What the table says of each type and action: whether it is of a node, and its other fields."""
    told = {}
    for types, action, of_node, fields, _ in table("The execution log"):
        for kind in names_in(types):
            known = {"yes": True, "no": False, "mostly": None}[of_node]
            told[kind, action.strip("`")] = (known, names_in(fields))
    return told


def test_every_entry_of_the_log_is_there() -> None:
    text, told = runtime(), entries()
    assert {kind for kind, _ in told} == found(r"\btype: '(\w+)'", text)
    actions = found(r"\baction(?:: | = \w+ \? )'(\w+)'(?: : '(\w+)')?", text)
    assert {action for _, action in told} - {NONE} == actions


async def runs() -> list[dict[str, Any]]:
    """What becomes of every message of the examples."""
    contexts = []
    async with sandbox(None) as trials:
        for example, block in PAGE.tests:
            file = cases.read_test_file({"workflow": "here", **yaml.safe_load(block.text)})
            path, found_here = ROOT / f"{block.line}.test.yaml", of_document(example.contents)
            reports = [await run_case(trials, path, file, case, found_here) for case in file.cases]
            contexts += [report.outcome["context"] for report in reports]
    return contexts


async def test_what_examples_leave_is_as_the_tables_say() -> None:
    told, seen, errors = entries(), set(), set[str]()
    for context in await runs():
        errors |= {name for error in context["____execution_errors____"] for name in error}
        for entry in context["____execution_log____"]:
            seen.add(key_of(entry))
            needed, allowed = fields_told(*told[key_of(entry)])
            assert needed <= entry.keys() - ALWAYS <= allowed, json.dumps(entry)
    assert seen == told.keys() - LEFT_BY_NO_EXAMPLE
    assert errors <= first_names("Errors")


def key_of(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["type"], entry.get("action", NONE)


def fields_told(of_node: bool | None, fields: list[str]) -> tuple[set[str], set[str]]:
    """The fields that an entry has, and those that it may have."""
    needed = {name for name in fields if not name.endswith("?")} | (OF_A_NODE if of_node else set())
    return needed, needed | {name.rstrip("?") for name in fields} | (set() if of_node is False else OF_A_NODE)


# ---- limits ------------------------------------------------------------------------------------------------------


def test_the_limits_are_those_of_the_code() -> None:
    limits, told = Limits(), " ".join(row[1] for row in table("Limits"))
    numbers = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", told)}
    sandbox_limits = {limits.script_timeout_ms, limits.message_timeout_ms, limits.isolate_memory, limits.effects}
    sizes = {limits.effect_size, limits.asks_size, limits.result_size, limits.log_size, limits.print_size}
    drawn = {tree.MAX_NODES, tree.MAX_DEPTH, conditions.MAX_RULES, conditions.MAX_DEPTH}
    families = {links.MAX_DEPTH, links.MAX_DESCENDANTS, reasons.MAX_REASONS, journaled.AT_ONCE}
    kept = {int(number) for number in found(r"MAX_(?:ERRORS|ENTRIES) = ([\d_]+);", runtime())}
    assert numbers == sandbox_limits | sizes | drawn | families | kept


# ---- links -------------------------------------------------------------------------------------------------------


def test_every_link_leads_somewhere() -> None:
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in headings_of(TEXT)}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file = ROOT / "docs/reference" / target.partition("#")[0]
        assert target.removeprefix("#") in headings or file.is_file(), target


def headings_of(text: str) -> list[str]:
    return [
        line
        for line in re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).splitlines()
        if line[:1] == "#"
    ]
