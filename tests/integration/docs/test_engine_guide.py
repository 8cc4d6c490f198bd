"""docs/guide/engine.md and the README's section on the library are true: every piece of Python in them is executed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulse import Engine
from tests.contract.conftest import sqlite_threads, sqlite_threads_ended
from tests.integration.docs.engine_pages import Piece, Section, execute, sections_of, text_of
from tests.integration.docs.page import ROOT, UnknownBlock

GUIDE = "docs/guide/engine.md"
SETUP, SECTIONS = sections_of(text_of(GUIDE))
PIECES = [piece for section in SECTIONS for piece in section.pieces]
PROGRAMS = [piece for piece in PIECES if piece.block.info == "python program"]
TEST_FILES = [piece for piece in PIECES if piece.block.info == "python test"]
STORIES = [
    Section(section.heading, told)
    for section in SECTIONS
    if (told := [piece for piece in section.pieces if piece.block.info == "python"])
]


def library_section() -> str:
    """The README's section "As a library"."""
    return text_of("README.md").split("## As a library\n", 1)[1].split("\n## ", 1)[0]


def name_of(piece: Piece) -> str:
    return piece.block.place


@pytest.mark.parametrize("section", STORIES, ids=lambda section: section.heading)
async def test_the_pieces_of_a_section_do_as_they_say(
    section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    others, names = sqlite_threads(), dict[str, Any]()
    try:
        await execute(SETUP, names, "setup")
        for piece in section.pieces:
            assert await execute(piece.block.text, names, piece.block.place) == piece.printed, piece.block.place
    finally:
        for engine in {id(each): each for each in names.values() if isinstance(each, Engine)}.values():
            await engine.stop()
        await sqlite_threads_ended(others)


@pytest.mark.parametrize("piece", PROGRAMS, ids=name_of)
def test_a_program_runs_by_itself(piece: Piece, tmp_path: Path) -> None:
    assert printed(piece.block.text, tmp_path) == piece.printed


def test_the_program_in_the_readme_runs_by_itself(tmp_path: Path) -> None:
    (code, said) = re.findall(r"```(?:python|text)\n(.*?)```", library_section(), re.DOTALL)
    assert printed(code, tmp_path) == said


def printed(code: str, folder: Path) -> str:
    """What the program prints, executed in that folder."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("piece", TEST_FILES, ids=name_of)
def test_a_test_file_passes(piece: Piece, tmp_path: Path) -> None:
    (tmp_path / "test_shown.py").write_text(piece.block.text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist", "test_shown.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_links_lead_somewhere() -> None:
    for page in (GUIDE, "docs/reference/engine.md"):
        text = text_of(page)
        headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines()}
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, heading = target.partition("#")
            assert ((ROOT / page).parent / path).exists() if path else heading in headings, f"{page}: {target}"


def test_there_is_something_of_everything() -> None:
    assert len(STORIES) >= 10
    assert PROGRAMS
    assert TEST_FILES


# Negative controls: nothing on a page escapes.


@pytest.mark.parametrize("block", ["```py\nx = 1\n```", "```\nx\n```", "```text\nx\n```", "    x = 1"])
def test_a_block_that_nobody_executes_is_a_fault(block: str) -> None:
    with pytest.raises(UnknownBlock):
        sections_of(f"## A\n{block}\n")


async def test_a_piece_that_is_wrong_is_seen() -> None:
    with pytest.raises(AssertionError):
        await execute("import asyncio\nawait asyncio.gather()\nassert 1 == 2", {}, "here")


async def test_what_a_piece_prints_is_seen() -> None:
    assert await execute("print('a')", {}, "here") == "a\n"
