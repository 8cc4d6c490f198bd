"""`import pulse` offers the names that are promised, and loads nothing that only the platform needs."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pulse
from tests.architecture import tree

PROMISED = tree.ROOT / "tests/architecture/public_names.txt"
ENGINE = {"pulse.core", "pulse.engine", "pulse.storage"}
# An extra's package is imported under another name than it is installed by, or installs nothing of its own yet.
ALWAYS_HEAVY = {"deno", "fastapi", "msgspec", "starlette"}


def promised() -> list[str]:
    lines = PROMISED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def platform_modules() -> set[str]:
    """The top-level modules of every package that an extra installs and the base does not name."""
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {name for extra in project["optional-dependencies"].values() for name in map(distribution, extra)}
    wanted -= {"pulse", *map(distribution, project["dependencies"])}
    return ALWAYS_HEAVY | {
        module
        for module, names in metadata.packages_distributions().items()
        if wanted & {distribution(name) for name in names}
    }


def distribution(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-I", "-c", code]
    return set(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def heavy(modules: set[str]) -> set[str]:
    floors = {".".join(name.split(".")[:2]) for name in modules if name.startswith("pulse.")}
    return {name.split(".")[0] for name in modules} & platform_modules() | (floors - ENGINE)


def test_names_are_sorted_and_promised() -> None:
    assert pulse.__all__ == sorted(pulse.__all__)
    assert pulse.__all__ == promised()


def test_every_promised_name_is_there() -> None:
    missing = [name for name in pulse.__all__ if not hasattr(pulse, name)]
    assert missing == []


def test_importing_pulse_loads_the_engine_alone() -> None:
    assert heavy(loaded_by("import pulse")) == set()


def test_using_every_public_name_loads_the_engine_alone() -> None:
    """Names may be imported lazily; touching them must not load the platform either."""
    assert heavy(loaded_by("import pulse\nfor name in pulse.__all__: getattr(pulse, name)")) == set()


def test_the_check_sees_a_package_of_the_platform() -> None:
    assert {"starlette", "yaml"} <= heavy(loaded_by("import pulse, starlette.routing, yaml"))
    assert heavy({"pulse", "pulse.engine.engine", "pulse.egress.client"}) == {"pulse.egress"}
