"""What is kept of arguments."""

from typing import Any

import pytest

from pulse.effects.hiding import hidden


@pytest.mark.parametrize(
    ("arguments", "secrets", "shown"),
    [
        (["token", "text"], ("0",), ["***", "text"]),
        ([None], ("0",), [None]),
        ([], ("0", "1"), []),
        (
            [{"apiKey": "k", "headers": {"Authorization": "Bearer t", "x-api-key": "k", "accept": "*/*"}, "url": "u"}],
            ("0.apiKey", "0.headers"),
            [{"apiKey": "***", "headers": {"Authorization": "***", "x-api-key": "***", "accept": "*/*"}, "url": "u"}],
        ),
        (["no object"], ("0.headers",), ["no object"]),
    ],
)
def test_secrets_are_masked(arguments: list[Any], secrets: tuple[str, ...], shown: list[Any]) -> None:
    before = repr(arguments)
    assert hidden(arguments, secrets) == shown
    assert repr(arguments) == before
