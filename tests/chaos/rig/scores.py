"""The scorecard of a session: what each storm came to."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.rig.checker import outcomes
from tests.chaos.rig.ledger import Promise
from tests.chaos.rig.state import State


@dataclass
class Scores:
    """Entries of one session; `write` makes a file of them."""

    chaos: str
    seed: int
    began: float = field(default_factory=time.monotonic)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        test: str,
        began: float,
        promises: Sequence[Promise],
        state: State,
        found: Sequence[str],
        **counts: int,
    ) -> None:
        """Adds a storm that began at `began` (time.monotonic) and left `state` behind."""
        self.note(
            test,
            began,
            found,
            **counts,
            acknowledged=len({promise.id for promise in promises}),
            messages=len(state.messages),
            outcomes=outcomes(state),
        )

    def note(self, test: str, began: float, found: Sequence[str], **more: object) -> None:
        """Adds what is said in `more` of a storm that began at `began`."""
        seconds = round(time.monotonic() - began, 1)
        entry = {"test": test, **more, "violations": list(found), "seconds": seconds}
        self.entries.append(entry)
        # Shown with a failure, and with `-s`.
        print(json.dumps({**entry, "violations": len(found)}))  # noqa: T201

    def write(self, path: Path) -> None:
        seconds = round(time.monotonic() - self.began, 1)
        card = {"chaos": self.chaos, "seed": self.seed, "seconds": seconds, "storms": self.entries}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(card, indent=2) + "\n")
