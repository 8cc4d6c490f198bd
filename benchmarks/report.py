"""One table and one JSON object for each benchmark: the figure, what it is compared with, and the machine."""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Series:
    """Several measurements of one figure."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def rounded(self) -> dict[str, float]:
        return {"median": round(self.median, 2), "min": round(min(self.values), 2), "max": round(max(self.values), 2)}


def machine() -> dict[str, Any]:
    """What was measured on, and with which versions."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "pulse": version("pulse"),
        "deno": version("deno"),
        "loadBefore": round(os.getloadavg()[0], 2),
    }


def options(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is measured")
    return parser


def publish(name: str, rows: list[tuple[str, str]], figures: dict[str, Any], *, as_json: bool) -> None:
    """Prints the table on stderr (unless only JSON is wanted) and the JSON object on stdout."""
    if not as_json:
        table = Table("what", "measured", title=f"pulse bench {name}", box=None)
        for row in rows:
            table.add_row(*row)
        Console(stderr=True).print(table)
    sys.stdout.write(json.dumps({"benchmark": name, **figures, "machine": machine()}) + "\n")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
