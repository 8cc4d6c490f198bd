"""The workflows of the chaos tests, and how a message of each kind must end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.rig.door import Door

SECRET = "a secret for signing webhooks"
# How a message of a kind ends, whatever happens to Pulse meanwhile.
STATUS: Mapping[str, str] = {
    "order": "success",
    "hook": "success",
    "slow": "success",
    "fails": "fail",
    "unknown": "ignore",
}
TYPES: Mapping[str, str] = {kind: f"chaos.{kind}" for kind in STATUS} | {"hook": "hmac.order"}
MILLISECOND = 300_000  # about how many spins take one, on the slowest machine we know

_KEEP = "___result___ = { nonce: payload.nonce, seq: payload.seq };"
_SPIN = """\
let sum = 0;
for (let i = 0; i < payload.spins; i++) sum = (sum + i) | 0;
___result___ = { nonce: payload.nonce, seq: payload.seq, sum };
"""
_WORKFLOWS = (
    ("Keep", "in", [TYPES["order"], TYPES["hook"]], _KEEP),
    ("Spin", "equals", TYPES["slow"], _SPIN),
    ("Fail", "equals", TYPES["fails"], "throw new Error('as meant');"),
)


@dataclass(frozen=True)
class Draft:
    """A message before it is sent."""

    nonce: str
    kind: str = "order"
    key: str | None = None
    lane: str | None = None
    seq: int = 0
    spins: int = 0

    @property
    def payload(self) -> dict[str, Any]:
        return {"nonce": self.nonce, "seq": self.seq, "lane": self.lane, "spins": self.spins}

    @property
    def message(self) -> dict[str, Any]:
        return {"type": TYPES[self.kind], "payload": self.payload}

    @property
    def item(self) -> dict[str, Any]:
        """The message as an item of a batch."""
        keys = {"idempotencyKey": self.key, "partitionKey": self.lane}
        return {"message": self.message, **{name: value for name, value in keys.items() if value is not None}}


def install(door: Door) -> str:
    """Makes the workflows, and a source of webhooks; the path of the source."""
    for name, comparison, value, script in _WORKFLOWS:
        condition = {"field": "type", "comparison": comparison, "value": value}
        event = door.post("/api/workflow-entities", {"name": name, "entityType": "event", "condition": condition})
        body = {"name": f"{name} it", "entityType": "action", "postScript": script}
        action = door.post("/api/workflow-entities", body)
        tree = {"entityId": event["id"], "children": [{"entityId": action["id"], "children": []}]}
        door.post("/api/workflows", {"name": name, "workflowData": {"root": tree}})
    source = door.post("/api/sources", {"name": "chaos", "kind": "hmac", "secret": SECRET})
    return str(source["path"])
