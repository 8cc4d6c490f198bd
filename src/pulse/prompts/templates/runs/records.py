"""The records of runs, frozen.

A run is a template over rows of values (N) and variants (M): N x M cells, one answer wanted of each. What it runs is
written down when it starts, and does not change with the template.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

CellState = Literal["waiting", "running", "done", "failed", "canceled"]
RunStatus = Literal["running", "done", "canceled"]


@dataclass(frozen=True)
class Variant:
    """One column: a model configuration, and what differs from its defaults; `version` None is the newest one."""

    configuration_id: str
    version: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Row:
    """One row: values for the placeholders, under a name that people know it by.

    `images` go with the text: addresses (http, https or `data:`) of pictures.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    images: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True)
class RunDraft:
    """A run as somebody wants it. Rows are those of the named sets (`set_ids`), then `rows`; none: one empty row.

    `sentiment` is None, "lexicon", or the id of the model configuration that is asked. `schema` is the JSON Schema that
    models are to answer by.
    """

    variants: Sequence[Variant]
    set_ids: Sequence[str] = ()
    rows: Sequence[Row] = ()
    assertions: Sequence[Mapping[str, Any]] = ()
    sentiment: str | None = "lexicon"
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Column:
    """A variant as it is run: with the texts of its version."""

    configuration_id: str
    version: int
    text: str = field(repr=False)
    system: str | None = field(default=None, repr=False)
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a run runs. The cell at `place` is of row `place // columns` and column `place % columns`."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    assertions: tuple[Mapping[str, Any], ...] = ()
    sentiment: str | None = "lexicon"
    schema: Mapping[str, Any] | None = None

    def at(self, place: int) -> tuple[Row, Column]:
        row, column = divmod(place, len(self.columns))
        return self.rows[row], self.columns[column]


@dataclass(frozen=True)
class Cell:
    """One answer. `result` is None until there is one (see results.py); until it is `done` its checks are missing."""

    id: str
    place: int
    state: CellState
    result: Mapping[str, Any] | None = None
    completed_at: int | None = None


@dataclass(frozen=True)
class Run:
    """A run with its cells, in the order of their places."""

    id: str
    organization_id: str
    environment_id: str
    template_id: str
    plan: Plan
    created_at: int
    canceled_at: int | None
    cells: tuple[Cell, ...]

    @property
    def status(self) -> RunStatus:
        return status_of({cell.state for cell in self.cells}, self.canceled_at)


@dataclass(frozen=True)
class RunOutline:
    """A run in a list: how many of its cells are in each state."""

    id: str
    template_id: str
    created_at: int
    canceled_at: int | None
    cells: Mapping[CellState, int]

    @property
    def status(self) -> RunStatus:
        return status_of(set(self.cells), self.canceled_at)


def status_of(states: set[CellState], canceled_at: int | None) -> RunStatus:
    if states & {"waiting", "running"}:
        return "running"
    return "done" if canceled_at is None else "canceled"


@dataclass(frozen=True)
class CellWork:
    """A claimed cell, with all that it takes to fill it. `answer` is the model's, where it has come already."""

    id: str
    organization_id: str
    environment_id: str
    epoch: int
    lone_deaths: int
    place: int
    plan: Plan = field(repr=False)
    answer: Mapping[str, Any] | None = field(default=None, repr=False)
