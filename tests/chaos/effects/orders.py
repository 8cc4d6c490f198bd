"""The workflows of the storm: an order whose script asks for much at once, and the child that it starts."""

import email
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from email.policy import default
from pathlib import Path
from typing import Any

from tests.chaos.effects.checker import Letter, Look
from tests.chaos.rig.door import Door
from tests.chaos.rig.until import until

TYPE = "effects.order"
# How many requests an order makes of the peer, where none is repeated.
REQUESTS = 12
NAMES = tuple(f"{name}{step}" for name in "abc" for step in ("", "1", "2", "3"))
_ORDER = """\
order = payload.nonce;
const post = async (name, after) => {{
  const answer = await httpRequest({{ url: 'http://{peer}/', method: 'POST', body: {{ order, name, after }} }});
  if (answer.status !== 200) throw new Error(`${{name}}: ${{answer.status}}`);
  return answer.data.receipt;
}};
const parts = await Promise.all(['a', 'b', 'c'].map(async (name) => {{
  const first = await post(name);
  const [second, fourth] = await Promise.all([
    post(name + '1', first),
    post(name + '2', first).then((third) => post(name + '3', third)),
  ]);
  return [first, second, fourth];
}}));
const [mail, child] = await Promise.all([
  sendEmail({{ to: 'clerk@example.com', subject: 'Order ' + order, text: JSON.stringify(parts) }}),
  triggerWorkflow('{child}'),
]);
___result___ = {{ order, receipts: parts.flat(), mail: mail.messageId, child: child.sequenceNumber }};
"""
_CHILD = "___result___ = { childOf: order };"
_ENDED = "SELECT id FROM pulse_messages WHERE state IN ('success', 'fail', 'ignore', 'canceled')"
_ANSWERED = "SELECT key FROM pulse_message_effects WHERE state != 'intent'"
_LEFT = "SELECT count(*) FROM pulse_message_effects UNION ALL SELECT count(*) FROM pulse_message_journals"


def install(door: Door, peer: str) -> None:
    """Makes the workflows."""
    child = _make(door, "Child", "workflow_trigger", _CHILD)
    _make(door, "Order", TYPE, _ORDER.format(peer=peer, child=child))


def _make(door: Door, name: str, kind: str, script: str) -> str:
    condition = {"field": "type", "comparison": "equals", "value": kind}
    event = door.post("/api/workflow-entities", {"name": name, "entityType": "event", "condition": condition})
    body = {"name": f"{name} it", "entityType": "action", "postScript": script}
    action = door.post("/api/workflow-entities", body)
    tree = {"entityId": event["id"], "children": [{"entityId": action["id"], "children": []}]}
    return str(door.post("/api/workflows", {"name": name, "workflowData": {"root": tree}})["id"])


def send(door: Door, nonces: Sequence[str]) -> dict[str, str]:
    """Sends orders, all of which must be accepted; their nonces by id."""
    items = [{"message": {"type": TYPE, "payload": {"nonce": nonce}}} for nonce in nonces]
    return {answer["id"]: nonce for nonce, answer in zip(nonces, door.post("/v1/messages/batch", items), strict=True)}


# ---- what is stored ----------------------------------------------------------------------------------------------


Query = Callable[[str], list[tuple[Any, ...]]]


def look(query: Query) -> Look:
    """What is recorded now, while the platform is down."""
    answered, ended = (frozenset(str(row[0]) for row in query(each)) for each in (_ANSWERED, _ENDED))
    return Look(time.time_ns(), answered, ended)


def journal_rows(query: Query) -> int:
    """How many headers and entries of journals are left."""
    return sum(int(row[0]) for row in query(_LEFT))


def of_folder(data: Path) -> Query:
    """Asks the database of a data folder."""

    def query(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{data / 'pulse.db'}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement).fetchall()

    return query


def letters(data: Path) -> list[Letter]:
    """The mails in the outbox."""
    return [_letter(path) for path in sorted((data / "outbox").glob("*.eml"))]


def _letter(path: Path) -> Letter:
    read = email.message_from_bytes(path.read_bytes(), policy=default)
    return Letter(path.stem.rpartition("-")[2], str(read["Subject"]).removeprefix("Order "), str(read["Message-ID"]))


def pending(door: Door) -> int:
    """How many messages have not ended, the children included."""
    return int(door.get("/api/messages", status="pending", limit=1)["pagination"]["total"])


def drain(door: Door, seconds: float = 120.0) -> None:
    """Waits until nothing is pending."""
    until(lambda: pending(door) == 0, seconds, "every message has ended", every=0.1)
