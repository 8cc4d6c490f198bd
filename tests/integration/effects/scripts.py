"""Scripts that do several things at once, made at random: each says in which order things came back to it."""

from dataclasses import dataclass

from hypothesis import strategies as st

PRELUDE = """
const order = [];
const note = (what) => order.push(what, Math.floor(Math.random() * 1000), Date.now() % 100000);
const ask = async (name) => { note('ask ' + name); const got = await call(name); note(got); return got; };
"""


@dataclass(frozen=True)
class Script:
    """The body of an async function that leaves what happened in `___result___`."""

    text: str

    @property
    def source(self) -> str:
        return f"{PRELUDE}{self.text}\n___result___ = order;"


def _ask(name: str) -> str:
    return f"await ask('{name}');"


def _guarded(name: str) -> str:
    return f"try {{ await ask('fail {name}'); }} catch (e) {{ note(e.code); await ask('after {name}'); }}"


def _loose(name: str) -> str:
    return f"ask('loose {name}').then(() => note('loose end'));"


def _all(parts: list[str]) -> str:
    branches = ", ".join(f"(async () => {{ {part} }})()" for part in parts)
    return f"await Promise.all([{branches}]);"


def _race(parts: list[str]) -> str:
    branches = ", ".join(f"(async () => {{ {part} }})()" for part in parts)
    return f"await Promise.race([{branches}]); note('race over');"


def _mapped(count: int, part: str) -> str:
    items = ", ".join(str(item) for item in range(count))
    return f"await Promise.all([{items}].map(async (item) => {{ await ask('item ' + item); {part} }}));"


def _chosen(name: str, one: str, other: str) -> str:
    return f"if ((await ask('{name}')).length % 2) {{ {one} }} else {{ {other} }}"


_names = st.integers(0, 99).map(lambda number: f"n{number}")
_single = _names.map(_ask) | _names.map(_guarded) | _names.map(_loose)


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=2, max_size=3)
    return (
        several.map(" ".join)
        | several.map(_all)
        | several.map(_race)
        | st.tuples(st.integers(1, 3), inner).map(lambda drawn: _mapped(*drawn))
        | st.tuples(_names, inner, inner).map(lambda drawn: _chosen(*drawn))
    )


scripts: st.SearchStrategy[Script] = st.recursive(_single, _compound, max_leaves=6).map(Script)
