"""`pulse messages tail`: each message once, when it has ended, however many there are and however they end."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from pulse.cli.messages import commands
from pulse.cli.messages.commands import _ago, _follow
from pulse.cli.session import Session
from pulse.core.clock import iso
from pulse.core.errors import InvalidFields


class EnoughSeen(Exception):
    """The rounds of the test are over."""


class Api:
    """A list of messages that changes between the looks of a command."""

    is_running = True

    def __init__(self, *rounds: Callable[[list[dict[str, Any]]], None]) -> None:
        self.rows: list[dict[str, Any]] = []
        self._rounds = list(rounds)
        self.asked: list[str] = []

    async def call(self, _method: str, _path: str, **query: Any) -> Any:
        if query["page"] == 1:
            if not self._rounds:
                raise EnoughSeen
            self._rounds.pop(0)(self.rows)
            self.asked.append(query["from"])
        wanted = [row for row in self.rows if row["receivedAt"] >= query["from"]]
        start = (query["page"] - 1) * query["limit"]
        return {"data": wanted[start : start + query["limit"]]}


def row(number: int, status: str = "success") -> dict[str, Any]:
    return {"id": f"msg_{number:05}", "status": status, "receivedAt": iso(4_000_000_000_000 + number)}


async def followed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], api: Api) -> list[int]:
    """The numbers of the messages that were printed, in order."""
    monkeypatch.setattr(commands, "LOOK_AGAIN_S", 0)
    with pytest.raises(EnoughSeen):
        await _follow(cast(Session, api), {}, json_=True)
    return [int(json.loads(line)["id"][4:]) for line in capsys.readouterr().out.splitlines()]


async def test_each_is_printed_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(
        lambda rows: rows.extend(map(row, range(2))), lambda rows: rows.extend(map(row, range(2, 4))), lambda _: None
    )
    assert await followed(monkeypatch, capsys, api) == [0, 1, 2, 3]


async def test_more_than_a_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(
        lambda rows: rows.extend(map(row, range(2_500))),
        lambda rows: rows.extend(map(row, range(2_500, 3_600))),
        lambda _: None,
    )
    assert await followed(monkeypatch, capsys, api) == list(range(3_600))
    assert api.asked[-1] == row(3_599)["receivedAt"]


async def test_one_that_takes_long_comes_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(rows: list[dict[str, Any]]) -> None:
        rows[1]["status"] = "fail"

    api = Api(
        lambda rows: rows.extend([row(0), row(1, "pending"), row(2)]),
        lambda rows: rows.extend([row(3), row(4, "held")]),
        ends,
        lambda rows: rows.append(row(5)),
    )
    assert await followed(monkeypatch, capsys, api) == [0, 2, 3, 1, 5]


async def test_several_of_one_millisecond(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def same(*numbers: int) -> Callable[[list[dict[str, Any]]], None]:
        return lambda rows: rows.extend({**row(number), "receivedAt": row(0)["receivedAt"]} for number in numbers)

    assert await followed(monkeypatch, capsys, Api(same(1, 2), same(3), same(), same(4))) == [1, 2, 3, 4]


@pytest.mark.parametrize("since", ["30s", "5m", "1h", "7d", "0s", "999999999999d"])
def test_how_far_back(since: str) -> None:
    text = _ago(since)
    assert text is not None
    assert text.endswith("Z")
    assert _ago(None) is None


@pytest.mark.parametrize("since", ["", "1", "m", "1.5h", "-1h", "1 h", "1H", "1h30m"])
def test_what_is_no_while(since: str) -> None:
    with pytest.raises(InvalidFields, match="30m"):
        _ago(since)
