"""A checked record says, for each field, what it must be and what it was given."""

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from typing import Any, Literal

import pytest

from pulse.core.errors import Fault, InvalidFields
from pulse.engine.checked import checked


@checked
class Inner:
    size: int


@checked
class Sample:
    name: str
    count: int = 0
    share: float = 0.0
    is_on: bool = False
    colour: Literal["red", "green"] | int | None = None
    data: Mapping[str, Any] | None = None
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    rows: tuple[tuple[int, ...], ...] = ()
    call: Callable[[], int] | None = None
    anything: Any = None


@checked
class Prepared:
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))


def faults(**fields: Any) -> list[Fault]:
    with pytest.raises(InvalidFields) as caught:
        Sample(**{"name": "a", **fields})
    return caught.value.faults


def paths(**fields: Any) -> list[str]:
    return [fault.path for fault in faults(**fields)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"count": -3, "share": 2, "is_on": True},
        {"share": 0.5},
        {"colour": "red"},
        {"colour": 7},
        {"data": {}},
        {"data": {"a": object()}},
        {"inner": Inner(1), "inners": (Inner(1), Inner(2)), "rows": ((1,), ())},
        {"call": lambda: 1},
        {"anything": object()},
    ],
)
def test_what_fits_is_kept_as_it_is(fields: dict[str, Any]) -> None:
    record = Sample(name="a", **fields)
    assert all(getattr(record, name) is value for name, value in fields.items())


@pytest.mark.parametrize(
    "fields",
    [
        {"name": 5},
        {"name": None},
        {"name": b"a"},
        {"count": "1"},
        {"count": 1.0},
        {"count": True},
        {"share": "0.5"},
        {"share": True},
        {"is_on": 1},
        {"is_on": "yes"},
        {"colour": "blue"},
        {"colour": True},
        {"colour": 1.5},
        {"data": [("a", 1)]},
        {"data": {1: "a"}},
        {"inner": {"size": 1}},
        {"inners": [Inner(1)]},
        {"call": "print"},
    ],
)
def test_a_value_of_another_type_is_refused_at_its_field(fields: dict[str, Any]) -> None:
    assert paths(**fields) == list(fields)


def test_every_field_that_is_wrong_is_named_at_once() -> None:
    assert paths(name=1, count="2", is_on=None, data=3) == ["name", "count", "is_on", "data"]


def test_the_message_says_what_is_wanted_and_what_was_given() -> None:
    (fault,) = faults(colour="blue")
    assert fault == Fault(
        "colour", "wrong_type", "Sample.colour must be 'red' or 'green' or a whole number or None, not str 'blue'."
    )
    (fault,) = faults(count="two")
    assert fault.message == "Sample.count must be a whole number, not str 'two'."
    (fault,) = faults(data=5)
    assert fault.message == "Sample.data must be a dict with text keys or None, not int 5."


def test_a_long_value_is_cut_in_the_message() -> None:
    (fault,) = faults(count="x" * 500)
    assert len(fault.message) < 120
    assert fault.message.endswith("….")


def test_in_a_list_each_element_that_is_wrong_has_its_own_path() -> None:
    assert paths(inners=(Inner(1), "b", 3)) == ["inners.1", "inners.2"]
    assert paths(rows=((1, 2), (3, "4"), 5)) == ["rows.1.1", "rows.2"]
    assert faults(rows=((1, "2"),))[0].message == "Sample.rows.0.1 must be a whole number, not str '2'."


def test_what_the_class_prepares_is_prepared_before_it_is_checked() -> None:
    assert Prepared(["a", "b"]).names == ("a", "b")  # type: ignore[arg-type]
    with pytest.raises(InvalidFields) as caught:
        Prepared(["a", 2])  # type: ignore[arg-type]
    assert [fault.path for fault in caught.value.faults] == ["names.1"]


def test_a_record_is_equal_by_its_values_and_cannot_be_changed() -> None:
    assert Sample("a", count=2) == Sample(name="a", count=2) != Sample("a")
    with pytest.raises(FrozenInstanceError):
        Sample("a").count = 3  # type: ignore[misc]
