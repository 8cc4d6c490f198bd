"""Which names and values a variable may have, and that no fault repeats a value."""

import pytest

from pulse.tenancy.variables import MAX_VALUE, Variables, name_faults, value_faults


@pytest.mark.parametrize("name", ["A", "_", "a1", "API_KEY", "x" * 64, "_9", "Type", "toJSON"])
def test_a_good_name(name: str) -> None:
    assert name_faults(name) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1A",
        "a-b",
        "a b",
        " a",
        "a\n",
        "a$",
        "é",
        "ａ",
        "x" * 65,
        "x" * 1_000_000,
        "a.b",
        "a\0",
        "\ud800",
        "a\u0301",
    ],
    ids=range(15),
)
def test_a_name_that_is_none(name: str) -> None:
    (fault,) = name_faults(name)
    assert (fault.path, fault.code) == ("name", "invalid_name")
    assert fault.message.endswith("API_KEY.")
    assert len(fault.message) < 200


@pytest.mark.parametrize("name", ["message", "await", "print", "constructor", "__x", "WebAssembly", "undefined"])
def test_a_name_that_means_something_already(name: str) -> None:
    (fault,) = name_faults(name)
    assert (fault.path, fault.code) == ("name", "reserved_name")
    assert name in fault.message
    assert "choose another" in fault.message


@pytest.mark.parametrize(
    "value", ["x", "ä€😀", "x" * MAX_VALUE, "😀" * MAX_VALUE, " ", "\n", "\t\x01\x7f", "\ufffd"], ids=repr
)
def test_a_good_value(value: str) -> None:
    assert value_faults(value) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "1 to 65,536"),
        ("secret" + "x" * MAX_VALUE, "1 to 65,536"),
        ("secret\0", "NUL"),
        ("secret\ud800", "base64"),
        ("\udfffsecret", "base64"),
    ],
    ids=range(5),
)
def test_a_value_that_is_none(value: str, words: str) -> None:
    (fault,) = value_faults(value)
    assert (fault.path, fault.code) == ("value", "invalid_value")
    assert words in fault.message
    assert "secret" not in fault.message


def test_values_are_not_shown_by_accident() -> None:
    assert "hunter2" not in repr(Variables("id", (("PASSWORD", "hunter2"),)))
