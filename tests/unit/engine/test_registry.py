"""What an application registers: once each name; a payload is held against the schema of its type."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pulse.core.errors import Conflict, InvalidFields
from pulse.engine.context import WorkflowContext
from pulse.engine.definition.steps import Action, Condition, Delay, Parallel
from pulse.engine.records import Signal
from pulse.engine.registration import Registrations
from pulse.engine.registry import Handler
from tests.unit.engine.made import workflow


class Line(BaseModel):
    sku: str
    count: int = Field(ge=1)


class Order(BaseModel):
    id: int
    lines: list[Line] = []


class Registered(Registrations):
    """Registrations without an engine around them."""

    @property
    def registry(self) -> Any:
        return self._registry


def signal(**payload: Any) -> Signal:
    return Signal("acme", "shop", "order.placed", payload=payload)


def with_schema(schema: Any) -> Registered:
    registered = Registered()
    registered.register_trigger("order.placed", source="shop", payload_schema=schema)
    return registered


def refused(registered: Registered, **payload: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFields) as caught:
        registered.registry.check(signal(**payload))
    return [(fault.path, fault.code) for fault in caught.value.faults]


async def nothing(context: WorkflowContext) -> None: ...


async def always(context: WorkflowContext) -> bool:
    return True


def test_a_payload_that_fits_is_let_through_as_it_is() -> None:
    registered = with_schema(Order)
    given = signal(id="7", lines=[{"sku": "a", "count": 1}], extra=True)
    registered.registry.check(given)
    assert given.payload == {"id": "7", "lines": [{"sku": "a", "count": 1}], "extra": True}


def test_every_fault_of_a_payload_has_its_path() -> None:
    assert refused(with_schema(Order), id="x", lines=[{"sku": "a", "count": 1}, {"count": 0}]) == [
        ("payload.id", "int_parsing"),
        ("payload.lines.1.sku", "missing"),
        ("payload.lines.1.count", "greater_than_equal"),
    ]


def test_a_schema_may_be_any_type_that_pydantic_knows() -> None:
    registered = with_schema(dict[str, int])
    registered.registry.check(signal(a=1))
    assert refused(registered, a="one") == [("payload.a", "int_parsing")]


def test_an_unregistered_type_may_carry_anything() -> None:
    Registered().registry.check(signal(anything=object()))


def test_a_type_without_a_schema_may_carry_anything() -> None:
    with_schema(None).registry.check(signal(anything=1))


@pytest.mark.parametrize(
    ("register", "said"),
    [
        (lambda each: each.register_trigger("x", source="tests"), "The trigger 'x'"),
        (lambda each: each.register_action("x", nothing), "The action 'x'"),
        (lambda each: each.register_condition("x", always), "The condition 'x'"),
    ],
)
def test_a_name_is_registered_once(register: Callable[[Registered], None], said: str) -> None:
    registered = Registered()
    register(registered)
    with pytest.raises(Conflict, match=said) as caught:
        register(registered)
    assert caught.value.details == {"name": "x"}


def test_an_action_and_a_condition_may_have_the_same_name() -> None:
    registered = Registered()
    registered.register_action("x", nothing)
    registered.register_condition("x", always)
    assert registered.registry.handler_for(Action("x")).call is nothing
    assert registered.registry.handler_for(Condition("x")).call is always


def test_the_decorators_register_and_leave_the_function_as_it_is() -> None:
    registered = Registered()
    assert registered.action("a", replay_safe=True)(nothing) is nothing
    assert registered.condition("c")(always) is always
    assert registered.registry.is_replay_safe("a")
    assert registered.registry.handler_for(Condition("c")) == Handler(always)


def test_an_action_is_not_replay_safe_unless_it_says_so() -> None:
    registered = Registered()
    registered.register_action("a", nothing)
    assert not registered.registry.is_replay_safe("a")
    assert not registered.registry.is_replay_safe("unknown")


def test_the_types_that_are_registered_are_listed() -> None:
    registered = with_schema(None)
    registered.register_trigger("order.paid", source="shop", resource_type="order")
    assert list(registered.trigger_types) == ["order.placed", "order.paid"]
    assert registered.registry.triggers["order.paid"].resource_type == "order"


def test_the_handlers_that_nobody_registered_are_named_those_of_branches_too() -> None:
    registered = Registered()
    registered.register_action("known", nothing)
    flow = workflow(
        Action("known"),
        Condition("known_too", handler="c"),
        Delay("d", ms=1),
        Parallel("p", ((Action("b"),), (Action("other", handler="b"),))),
    )
    assert registered.registry.unknown_handlers(flow) == ["action 'b'", "condition 'c'"]


class Callable1:
    async def __call__(self, context: WorkflowContext) -> None: ...


class Callable2:
    def __call__(self, context: WorkflowContext) -> None: ...


@pytest.mark.parametrize(
    ("call", "is_async"),
    [
        (nothing, True),
        (partial(nothing), True),
        (Callable1(), True),
        (Callable1().__call__, True),
        (Callable2(), False),
        (lambda _context: None, False),
        (print, False),
    ],
)
def test_a_handler_is_async_where_calling_it_gives_something_to_await(call: Any, is_async: bool) -> None:
    assert Handler(call).is_async is is_async
