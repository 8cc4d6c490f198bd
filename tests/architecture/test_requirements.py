"""requirements/*.txt say what pyproject.toml asks for: `make lock` was run after the last change."""

import re
import tomllib
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture import tree

PIN = re.compile(r"^(?P<pin>[A-Za-z0-9][\w.-]*==[^\s;\\]+)(?P<rest>.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def project() -> dict[str, list[Requirement]]:
    """What each file must satisfy."""
    document = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    base = document["project"]["dependencies"]
    extras = [line for extra in document["project"]["optional-dependencies"].values() for line in extra]
    dev = document["dependency-groups"]["dev"]
    wanted = {"base": base, "all": base + extras, "dev": base + extras + dev, "uv": ["uv"]}
    parsed = {name: [Requirement(line) for line in lines] for name, lines in wanted.items()}
    return {name: [need for need in needs if need.name != "pulse"] for name, needs in parsed.items()}


def pins(text: str) -> list[tuple[Requirement, bool]]:
    """Each pinned package, and whether it has hashes."""
    return [(Requirement(match["pin"]), "--hash=sha256:" in match["rest"]) for match in PIN.finditer(text)]


def unmet(needs: Iterable[Requirement], text: str) -> list[str]:
    pinned: dict[str, list[str]] = {}
    for pin, hashed in pins(text):
        if hashed:
            pinned.setdefault(canonicalize_name(pin.name), []).extend(part.version for part in pin.specifier)
    return [
        str(need)
        for need in needs
        if not any(need.specifier.contains(version) for version in pinned.get(canonicalize_name(need.name), ()))
    ]


def locked(name: str) -> str:
    return (tree.ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def test_generated_requirements_satisfy_pyproject() -> None:
    assert {name: unmet(needs, locked(name)) for name, needs in project().items() if unmet(needs, locked(name))} == {}


def test_generated_requirements_agree_and_are_hashed() -> None:
    for smaller, larger in (("base", "all"), ("all", "dev")):
        every = {str(pin) for pin, _ in pins(locked(larger))}
        assert {str(pin) for pin, _ in pins(locked(smaller))} <= every, f"{smaller}.txt and {larger}.txt differ"
    assert [str(pin) for name in project() for pin, hashed in pins(locked(name)) if not hashed] == []


def test_a_stale_lock_is_seen() -> None:
    needs = [Requirement("a>=2"), Requirement("B.c"), Requirement("missing"), Requirement("bare")]
    lock = "a==1.9 \\\n    --hash=sha256:00\nb-c==1 ; sys_platform == 'linux' \\\n    --hash=sha256:00\nbare==1\n"
    assert unmet(needs, lock) == ["a>=2", "missing", "bare"]
