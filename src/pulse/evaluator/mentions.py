"""Which variables a workflow names, so that it is known when each was used last."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pulse.tenancy.uses import Uses
from pulse.tenancy.variables import Variables
from pulse.workflows.plan import WorkflowPlan

# A name by itself, as JavaScript and templates have it.
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
# What nodes are called and are: no script reads that.
_LABELS = {"kind", "entityId", "name", "type", "mode", "workflowId"}
MAX_KEPT = 1_000


class VariableUses:
    """A variable is used when a workflow that names it was evaluated, wherever the name stands in it.

    A message costs one entry in a dictionary; which variables that means is found out when it is written down.
    """

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._noted: dict[tuple[str, str], tuple[WorkflowPlan, Variables, int]] = {}
        self._words: dict[str, frozenset[str]] = {}

    def note(self, plan: WorkflowPlan, variables: Variables, at: int) -> None:
        """The plan was evaluated with these variables at that time, in ms since 1970."""
        self._noted[plan.id, variables.id] = (plan, variables, at)

    async def write(self) -> None:
        """Writes down what was noted since the last time. Raises Unavailable, after which it is all still noted."""
        noted, self._noted = self._noted, {}
        for plan, variables, at in noted.values():
            words = self._words_of(plan)
            for (name, _), (variable_id, _) in zip(variables.values, variables.versions, strict=True):
                if name in words:
                    self._uses.note(variable_id, at)
        await self._uses.write()

    def _words_of(self, plan: WorkflowPlan) -> frozenset[str]:
        if plan.id not in self._words:
            if len(self._words) >= MAX_KEPT:
                self._words.clear()
            self._words[plan.id] = frozenset(_words(json.loads(plan.text)["nodes"]))
        return self._words[plan.id]


def _words(value: Any) -> Iterator[str]:
    """The words of all texts that scripts, templates and conditions are made of."""
    if isinstance(value, str):
        yield from _WORD.findall(value)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _LABELS:
                yield from _words(each)
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
