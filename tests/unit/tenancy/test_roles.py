"""The permission table: ranks, keys and scopes."""

import re
from pathlib import Path

import pytest

from pulse import console
from pulse.tenancy.roles import PERMISSIONS, ROLES, beyond, unknown_scopes


def test_each_role_may_do_what_the_lower_ones_may() -> None:
    for permission in PERMISSIONS.values():
        held = [permission.is_held_by(role) for role in ROLES]
        assert held == sorted(held, reverse=True), permission.name
        assert held[0], permission.name


def test_a_guest_only_reads() -> None:
    assert {p.name.partition(":")[2] for p in PERMISSIONS.values() if p.is_held_by("Guest")} == {"read"}


def test_nobody_below_the_operator_makes_organizations() -> None:
    for name in ("organizations:create", "environments:create"):
        assert [role for role in ROLES if PERMISSIONS[name].is_held_by(role)] == ["System"]
        assert not PERMISSIONS[name].keys


def test_names_have_a_resource_and_a_verb_and_words() -> None:
    for name, permission in PERMISSIONS.items():
        resource, _, verb = name.partition(":")
        assert resource.replace("-", "").isalpha(), name
        assert verb.isalpha(), name
        assert permission.allows, name
        assert not permission.allows.endswith("."), name


# `may("…", anywhere=True)`, and the dependencies that are made of it.
WHOLE = re.compile(
    r'may(?:_in_organization|_with_organization|_with_models)\("([a-z:-]+)"|may\("([a-z:-]+)", anywhere=True'
)


def test_what_concerns_no_single_environment_is_marked() -> None:
    """By this mark, and not by the routes, it is known what a right on one environment gives no key for."""
    text = "\n".join(file.read_text() for file in Path(console.__file__).parent.rglob("*.py"))
    asked = {first or second for first, second in WHOLE.findall(text)}
    assert asked == {name for name, permission in PERMISSIONS.items() if permission.whole}


def test_what_a_key_could_do_and_a_role_may_not() -> None:
    assert beyond("Admin", []) == []
    changes = ["models:write", *(f"credentials:{verb}" for verb in ("create", "update", "delete", "validate"))]
    for role in ("User", "Guest"):
        assert beyond(role, []) == changes
        assert beyond(role, ["models:read", "api-keys:write", "messages:delete", "models:write"]) == ["models:write"]
        assert beyond(role, ["models:read", "api-keys:write"]) == []


def test_scopes_that_keys_can_have() -> None:
    assert unknown_scopes(name for name, permission in PERMISSIONS.items() if permission.keys) == []


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("message:read", "Did you mean messages:read"),
        ("*", "`pulse roles` lists them"),
        ("organizations:create", "No key can hold organizations:create"),
        ("messages:read workflows:read", "There is no permission"),
        ("", "There is no permission ''"),
    ],
)
def test_scopes_that_no_key_can_have(scope: str, words: str) -> None:
    (fault,) = unknown_scopes(["messages:read", scope])
    assert (fault.path, fault.code) == ("scopes.1", "unknown_scope")
    assert words in fault.message
