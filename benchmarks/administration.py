"""How long the admin API takes for lists and single records when there is much: 95 of 100 answers within so many ms.

10,000 workflows in one environment, 1,000,000 messages, 1,000 organizations; the API in this process, one request after
another, on SQLite. `--messages` and the like make it smaller.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import insert

from benchmarks.report import options, publish
from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.messages.result import empty_body
from pulse.messages.tables import message_tables
from pulse.tenancy.records import Environment
from pulse.workflows.records import Entity, Workflow

BAR_MS = 40.0
BATCH = 10_000
STATES = ("success", "success", "success", "fail", "ignore")


async def fill(data: OpenData, organizations: int, workflows: int, messages: int) -> tuple[Environment, str, str]:
    """Makes all that; the environment that has the workflows and messages, and the id of one of each."""
    parts = data.parts
    made = [await parts.tenancy.create_organization(f"Organization {number}") for number in range(organizations)]
    here = await parts.tenancy.create_environment(made[-1].id, "production")
    start = await parts.workflows.create_entity(Entity("", here.organization_id, here.id, "Order", "event"))
    root = {"root": {"entityId": start.id}}
    drafts = [Workflow("", here.organization_id, here.id, f"Workflow {number:05}", root) for number in range(workflows)]
    drawn = [await parts.workflows.create_workflow(draft) for draft in drafts]
    tables, message_id = message_tables(parts.database.prefix), ""
    for rows in _messages(data, here, messages):
        payload = json.dumps({"type": "order", "n": 1}).encode()
        async with parts.database.write() as connection:
            await connection.execute(insert(tables.messages), rows)
            await connection.execute(insert(tables.payloads), [{"id": row["id"], "payload": payload} for row in rows])
            await connection.execute(insert(tables.results), [{"id": row["id"], "body": empty_body()} for row in rows])
        message_id = rows[len(rows) // 2]["id"]
    return here, drawn[-1].id, message_id


def _messages(data: OpenData, here: Environment, count: int) -> Iterator[list[dict[str, Any]]]:
    now = data.parts.clock.now_ms()
    for start in range(0, count, BATCH):
        yield [
            {
                "id": data.parts.ids.new("msg"),
                "organization_id": here.organization_id,
                "environment_id": here.id,
                "type": "order",
                "state": STATES[number % len(STATES)],
                "due_at": now,
                "received_at": now,
                "completed_at": now,
                "elapsed_ms": 5,
                "size": 24,
                "workflow_name": f"Workflow {number % 1000:05}",
                "error": "TypeError: x is undefined" if number % len(STATES) == 3 else None,
            }
            for number in range(start, min(count, start + BATCH))
        ]


async def measure(given: Any) -> dict[str, float]:
    """The 95th percentile of each request, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        data = OpenData(load_settings(Path(folder) / "data"))
        await data.prepare()
        here, workflow_id, message_id = await fill(data, given.organizations, given.workflows, given.messages)
        place = {"organizationId": here.organization_id, "environmentId": here.id}
        requests: dict[str, tuple[str, dict[str, Any]]] = {
            "workflows, first page": ("/api/workflows", {}),
            "workflows, page 500": ("/api/workflows", {"page": 500}),
            "one workflow": (f"/api/workflows/{workflow_id}", {}),
            "messages, first page": ("/api/messages", {}),
            "messages that failed": ("/api/messages", {"status": "fail"}),
            "messages with a word": ("/api/messages", {"q": "undefined"}),
            "one message": (f"/api/messages/{message_id}", {}),
            "organizations": ("/api/organizations", {"limit": 100}),
            "organizations with a word": ("/api/organizations", {"search": "zation 77", "limit": 100}),
            "environments": ("/api/environments", {}),
        }
        headers = {"Authorization": f"Bearer {data.local_token}"}
        transport = httpx2.ASGITransport(data.app())
        async with httpx2.AsyncClient(base_url=data.url, headers=headers, transport=transport) as client:
            found = {
                name: await _p95(client, path, {**place, **more}, given) for name, (path, more) in requests.items()
            }
        await data.close()
        return found


async def _p95(client: httpx2.AsyncClient, path: str, query: dict[str, Any], given: Any) -> float:
    took = []
    for _ in range(given.requests):
        began = time.perf_counter()
        answer = await client.get(path, params=query)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    return statistics.quantiles(took, n=20)[-1]


def main() -> None:
    parser = options(__doc__ or "")
    for name, default in (("organizations", 1_000), ("workflows", 10_000), ("messages", 1_000_000), ("requests", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    found = asyncio.run(measure(given))
    rows = [(name, f"p95 {ms:.1f} ms (bar {BAR_MS:.0f} ms)") for name, ms in found.items()]
    figures = {"p95Ms": {name: round(ms, 2) for name, ms in found.items()}, "barMs": BAR_MS}
    publish("administration", rows, figures, as_json=given.json)


if __name__ == "__main__":
    main()
