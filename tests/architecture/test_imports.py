"""The floors hold: the contracts of pyproject.toml are kept, they cover what they should, and each can be broken."""

import graphlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

from tests.architecture import tree

PORTS = {"bus", "mail", "models", "objects", "sandbox", "streams"}
# Modules of a port's package that are neither the port nor an adapter: rules that adapters share, without I/O.
SHARED_BY_ADAPTERS = {
    "pulse.bus.handlers",
    "pulse.mail.addresses",
    "pulse.mail.compose",
    "pulse.models.catalogue",
    "pulse.models.wire",
    "pulse.sandbox.functions",
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([tool, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False)


def contracts() -> dict[str, dict[str, Any]]:
    tools = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    return {contract["id"]: contract for contract in tools["importlinter"]["contracts"]}


def first_cycle(graph: grimp.ImportGraph) -> list[str]:
    """Modules that import each other in a ring, packages' own `__init__` included."""
    try:
        graphlib.TopologicalSorter(
            {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
        ).prepare()
    except graphlib.CycleError as error:
        ring: list[str] = error.args[1]
        return ring
    return []


def unprotected(modules: set[str], protected: set[str], shared: set[str]) -> list[str]:
    """Modules directly in a port's package that could be imported by anybody."""
    inside = [name.split(".") for name in modules if name.count(".") == 2]
    mine = {f"*.{package}.{name}": f"pulse.{package}.{name}" for _, package, name in inside if package in PORTS}
    return sorted(
        module
        for expression, module in mine.items()
        if not module.endswith(".port") and expression not in protected and module not in shared
    )


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("pulse", cache_dir=None)


def test_contracts_are_kept() -> None:
    result = lint(tree.ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_module_imports_itself_by_way_of_others(graph: grimp.ImportGraph) -> None:
    assert first_cycle(graph) == []


def test_every_adapter_is_protected(graph: grimp.ImportGraph) -> None:
    """A new module beside a port is added to the contract "adapters", or to SHARED_BY_ADAPTERS above."""
    faults = unprotected(graph.modules, set(contracts()["adapters"]["protected_modules"]), SHARED_BY_ADAPTERS)
    assert not faults, tree.listed(faults)


def test_what_adapters_share_is_still_there(graph: grimp.ImportGraph) -> None:
    assert graph.modules >= SHARED_BY_ADAPTERS


def test_the_contracts_name_each_package_once() -> None:
    floors = [name.strip(" ()") for layer in contracts()["floors"]["layers"] for name in layer.split("|")]
    below_testing = {"core", "storage", "engine", "testing"}
    forbidden = {name.removeprefix("*.") for name in contracts()["testing"]["forbidden_modules"]}
    assert forbidden == set(floors) - below_testing


# Negative controls: a package of a few lines, under the same contracts, breaks each of them.


def small_package(folder: Path, modules: dict[str, str]) -> Path:
    """A `pulse` with these modules; every package on the way gets its `__init__`."""
    shutil.copy(tree.ROOT / "pyproject.toml", folder)
    for name, source in modules.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        for parent in path.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()
    return folder


SOUND = {
    "pulse/core/clock.py": "",
    "pulse/storage/database.py": "import pulse.core.clock\nimport sqlalchemy",
    "pulse/mail/port.py": "import pulse.core.clock",
    "pulse/mail/smtp.py": "import pulse.mail.port",
    "pulse/engine/engine.py": "import pulse.storage.database",
    "pulse/bootstrap/wiring.py": "import pulse.mail.smtp, pulse.engine.engine",
}


def test_a_sound_package_passes(tmp_path: Path) -> None:
    result = lint(small_package(tmp_path, SOUND))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        pytest.param(
            "core/up.py",
            "import pulse.storage.database",
            "pulse.core is not allowed to import pulse.storage",
            id="upward",
        ),
        pytest.param(
            "core/up.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pulse.storage import database",
            "pulse.core is not allowed to import pulse.storage",
            id="upward-for-typing-only",
        ),
        pytest.param(
            "core/up.py",
            "def f() -> None:\n    from pulse.storage import database",
            "pulse.core is not allowed to import pulse.storage",
            id="upward-inside-a-function",
        ),
        pytest.param(
            "tenancy/keys.py",
            "import pulse.engine.engine",
            "pulse.tenancy is not allowed to import pulse.engine",
            id="sibling",
        ),
        pytest.param(
            "client.py", "import pulse.core.clock", "pulse.client is not allowed to import pulse.core", id="client"
        ),
        pytest.param("extra/new.py", "", "pulse.extra", id="a-package-nobody-placed"),
        pytest.param(
            "engine/mail.py", "import pulse.mail.port", "pulse.engine is not allowed to import pulse.mail", id="engine"
        ),
        pytest.param(
            "testing/fakes.py",
            "import pulse.mail.port",
            "pulse.testing is not allowed to import pulse.mail",
            id="testing",
        ),
        pytest.param(
            "engine/web.py",
            "import starlette",
            "pulse.engine is not allowed to import starlette",
            id="base-needs-an-extra",
        ),
        pytest.param("alerts/send.py", "import pulse.mail.smtp", "protected package pulse.mail.smtp", id="adapter"),
        pytest.param(
            "core/clock.py", "import pulse.core.errors", "No cycles are allowed in pulse.core", id="cycle-of-siblings"
        ),
    ],
)
def test_a_breach_is_caught(tmp_path: Path, module: str, source: str, complaint: str) -> None:
    modules = {**SOUND, "pulse/core/errors.py": "import pulse.core.clock", f"pulse/{module}": source}
    result = lint(small_package(tmp_path, modules))
    assert result.returncode == 1, result.stdout
    assert complaint in " ".join(result.stdout.split())


def test_a_ring_through_a_package_is_caught() -> None:
    graph = grimp.ImportGraph()
    for module in ("pulse", "pulse.a", "pulse.a.b"):
        graph.add_module(module)
    graph.add_import(importer="pulse.a", imported="pulse.a.b")
    assert first_cycle(graph) == []
    graph.add_import(importer="pulse.a.b", imported="pulse.a")
    assert set(first_cycle(graph)) == {"pulse.a", "pulse.a.b"}


def test_an_adapter_nobody_protects_is_caught() -> None:
    modules = {"pulse", "pulse.mail", "pulse.mail.port", "pulse.mail.smtp", "pulse.mail.mime", "pulse.core.mail"}
    assert unprotected(modules, {"*.mail.smtp"}, set()) == ["pulse.mail.mime"]
    assert unprotected(modules, {"*.mail.smtp"}, {"pulse.mail.mime"}) == []
