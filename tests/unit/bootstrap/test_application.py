"""Finding an application's engine by its name: what is wrong is said, with where and what to do."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from pulse.bootstrap.joining.application import load_application, require_migrated
from pulse.core.errors import Misconfigured, Unavailable
from pulse.engine.engine import Engine

_numbers = count(1)
ENGINE = 'from pulse import Engine\nengine = Engine("sqlite+aiosqlite:///app.db")\n'
Module = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    """Writes a module into the current folder; its name, which nobody else has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names = []

    def write(source: str) -> str:
        names.append(f"application_{next(_numbers)}")
        (tmp_path / f"{names[-1]}.py").write_text(source)
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


def complaint(name: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        load_application(name)
    return caught.value.message


def test_an_engine_in_the_current_folder(module: Module) -> None:
    name = module(ENGINE + "class Parts:\n    inner = engine\n")
    engine = load_application(f"{name}:engine")
    assert isinstance(engine, Engine)
    assert load_application(f"{name}:Parts.inner") is engine


def test_what_the_module_prints_is_not_for_stdout(module: Module, capsys: pytest.CaptureFixture[str]) -> None:
    load_application(f"{module(ENGINE + 'print(1234)')}:engine")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "1234\n")


@pytest.mark.parametrize("name", ["app", ":engine", "app:", "app.py:engine", "folder/app:engine", ""])
def test_a_name_that_is_none(name: str) -> None:
    assert complaint(name) == f"{name!r} names no engine: write module:engine, as app:engine for `engine` in app.py."


def test_a_module_that_is_not_there(module: Module, tmp_path: Path) -> None:
    assert f"There is no module 'nosuch_module' in {tmp_path}" in complaint("nosuch_module:engine")
    assert "There is no module 'nosuch_module'" in complaint("nosuch_module.inner:engine")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nosuch_library\n", "ModuleNotFoundError: No module named 'nosuch_library' ({name}.py, line 1)."),
        ("\n\nraise ValueError('no such setting.')\n", "ValueError: no such setting ({name}.py, line 3)."),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError: division by zero ({name}.py, line 2)."),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3 ({name}.py, line 2)."),
        ("from pulse import Engine\nEngine('mysql://x')\n", "mysql is no database that Pulse can use"),
        ("def f(:\n", "SyntaxError: invalid syntax ({name}.py, line 1)."),
    ],
)
def test_a_module_that_cannot_be_imported(module: Module, source: str, said: str) -> None:
    name = module(source)
    told = complaint(f"{name}:engine")
    assert told.startswith(f"The module {name!r} cannot be imported. ")
    assert said.format(name=name) in told


def test_an_attribute_that_is_not_there_or_no_engine(module: Module) -> None:
    name = module(ENGINE + "settings = {}\n")
    hint = f"Name its engine: {name}:engine."
    assert complaint(f"{name}:nosuch") == f"The module {name!r} has no 'nosuch'. {hint}"
    assert complaint(f"{name}:engine.nosuch.more") == f"The module {name!r} has no 'engine.nosuch.more'. {hint}"
    assert complaint(f"{name}:settings") == f"'{name}:settings' is no Engine (its type is dict). {hint}"
    assert "There is no Engine in it" in complaint(f"{module('x = 1')}:x")


async def test_a_database_that_is_not_migrated_is_left_alone(module: Module, tmp_path: Path) -> None:
    name = f"{module(ENGINE)}:engine"
    engine = load_application(name)
    with pytest.raises(Misconfigured, match="is not migrated: start the application") as caught:
        await require_migrated(engine, name)
    assert str(tmp_path / "app.db") in caught.value.message
    assert not (tmp_path / "app.db").exists()
    await engine.migrate()
    await require_migrated(engine, name)
    await engine.stop()


async def test_a_database_that_does_not_answer_is_named_without_its_password(module: Module) -> None:
    name = module('from pulse import Engine\nengine = Engine("postgresql+asyncpg://me:hidden@127.0.0.1:9/x")\n')
    engine = load_application(f"{name}:engine")
    with pytest.raises(Unavailable, match=r"me:\*\*\*@127.0.0.1:9/x") as caught:
        await require_migrated(engine, name)
    assert "hidden" not in caught.value.message
    await engine.stop()
