"""The list of script functions is what a realm really offers."""

import json
import subprocess

from pulse.sandbox.deno.command import find_deno
from pulse.sandbox.functions import EFFECTS, FUNCTIONS
from tests.sandbox_support import evaluate, result, running, tenant, with_limits

# What V8 puts into any realm by itself; `console` is there too, and the kernel replaces it.
BARE = "import vm from 'node:vm'; const c = vm.createContext(vm.constants.DONT_CONTEXTIFY);"
OFFERED = "___result___ = Object.getOwnPropertyNames(globalThis).map((name) => [name, typeof globalThis[name]])"


def bare_names() -> set[str]:
    """The names that are there before Pulse adds anything."""
    script = f"{BARE} console.log(vm.runInContext('JSON.stringify(Object.getOwnPropertyNames(globalThis))', c))"
    arguments = [str(find_deno()), "eval", "--no-config", script]
    done = subprocess.run(arguments, capture_output=True, check=True, timeout=30)
    return set(json.loads(done.stdout))


async def test_the_list_is_what_a_realm_offers() -> None:
    bare = bare_names()
    for realm in ("fresh", "verified"):
        async with running(with_limits(realm=realm)) as sandbox:
            offered = dict(result(await evaluate(sandbox, OFFERED, tenant())))
        for extra in ("call", "other", "message"):
            del offered[extra]
        added = {name: kind for name, kind in offered.items() if name not in bare}
        assert added.pop("__prompt_count__") == "number"
        assert set(added) == {function.name for function in FUNCTIONS} | {*EFFECTS}
        assert set(added.values()) == {"function"}
        assert "console" in offered


def test_every_function_is_told_of_once_and_well() -> None:
    names = [function.name for function in FUNCTIONS]
    assert len(set(names)) == len(names)
    for function in FUNCTIONS:
        assert f"{function.name}(" in function.signature
        assert function.summary.endswith(".")
    assert not {*EFFECTS} & {*names}
