"""The runtime's own tests, which are JavaScript: each file beside this one's `runtime` folder is a case."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from pulse.sandbox.deno.command import find_deno

FOLDER = Path(__file__).parent / "runtime"
FILES = sorted(FOLDER.rglob("*.test.js"))
FLAGS = ("test", "--no-config", "--no-lock", "--no-check", "--no-remote", "--no-npm", "--quiet", "--no-prompt")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(file: Path) -> tuple[int, str]:
    environment = {"PATH": os.environ.get("PATH", ""), "NO_COLOR": "1", "DENO_DIR": os.devnull, "TZ": "UTC"}
    arguments = [str(find_deno()), *FLAGS, str(file)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, COLOURS.sub("", done.stdout + done.stderr)


def test_there_are_such_tests() -> None:
    assert {"conditions.test.js", "kernel.test.js", "walk.test.js"} <= {file.name for file in FILES}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_runtime(file: Path) -> None:
    code, output = run(file)
    assert code == 0, f"{file.name} failed:\n{output[-20_000:]}"
    passed = re.search(r"ok \| (\d+) passed", output)
    assert passed is not None, output
    assert int(passed[1]) > 0


def test_a_failure_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "fails.test.js"
    file.write_text("Deno.test('no', () => { throw new Error('seen') })")
    code, output = run(file)
    assert code != 0
    assert "seen" in output
