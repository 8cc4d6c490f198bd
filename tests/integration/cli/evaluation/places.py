"""An environment of a running `pulse up` that nobody else uses: draws workflows, sends messages, and waits for them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2

from tests.integration.cli.conftest import Run
from tests.integration.cli.running import Up

_numbers = count(1)


@dataclass(frozen=True)
class Place:
    """`options` are those of a command that is about it."""

    client: httpx2.Client
    options: tuple[str, ...]

    # ---- drawing ---------------------------------------------------------------------------------------------

    def entity(self, kind: str = "event", **fields: Any) -> str:
        """The id of a new entity."""
        return str(self.made("/api/workflow-entities", {"name": f"An {kind}", "entityType": kind, **fields})["id"])

    def workflow(self, *nodes: dict[str, Any], name: str = "Drawn", **fields: Any) -> dict[str, Any]:
        """A new workflow of these nodes: the first has all others as children."""
        return self.made("/api/workflows", {"name": name, "workflowData": drawn(*nodes), **fields})

    def simple(self, script: str = "", name: str = "Drawn", **fields: Any) -> dict[str, Any]:
        """A workflow of one event that everything passes, with a script after it."""
        return self.workflow({"entityId": self.entity(postScript=script)}, name=name, **fields)

    def change(self, workflow: dict[str, Any], **changes: Any) -> dict[str, Any]:
        body = {**{name: workflow[name] for name in ("name", "isActive", "priority", "workflowData")}, **changes}
        answer = self.client.put(f"/api/workflows/{workflow['id']}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    # ---- messages --------------------------------------------------------------------------------------------

    def sent(self, **message: Any) -> dict[str, Any]:
        """A message, once it has ended."""
        answer = self.client.post("/v1/messages?wait=30", json=message)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def triggered(self, workflow: dict[str, Any], **body: Any) -> dict[str, Any]:
        """What came of a trigger, once it has ended."""
        answer = self.client.post(f"/api/workflows/{workflow['id']}/trigger", json=body)
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["messageId"])

    def ended(self, message_id: str) -> dict[str, Any]:
        """The message, which must end within half a minute."""
        found = self.client.get(f"/api/messages/{message_id}?wait=30").json()
        assert found["status"] != "pending", found
        return dict(found)

    def family(self, message_id: str) -> dict[str, Any]:
        """The tree of the message once everything in it has ended.

        A tree is not read in one go: one whose messages had all ended may lack a child that left meanwhile, but the
        next one has it.
        """
        known: list[str] = []
        while True:
            tree = dict(self.client.get(f"/api/messages/{message_id}/tree").json())
            pending = [each["id"] for each in flat(tree) if each.get("status") == "pending"]
            found = [each["id"] for each in flat(tree)]
            if found == known and not pending:
                return tree
            for each in pending:
                self.ended(each)
            known = found

    def count(self) -> int:
        return int(self.client.get("/api/messages").json()["pagination"]["total"])


def drawn(*nodes: dict[str, Any]) -> dict[str, Any]:
    children = [{"ref": f"n{at}", "children": []} for at in range(1, len(nodes))]
    tree = {"ref": "n0", "children": children}
    return {"nodes": {f"n{at}": node for at, node in enumerate(nodes)}, "connectors": {}, "workflow": tree}


def starts(workflow_id: str, **fields: Any) -> dict[str, Any]:
    """A node that sends a message to another workflow."""
    return {"entityType": "workflow", "name": "Starts", "workflowId": workflow_id, **fields}


def flat(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children"]:
        yield from flat(child)


def log(found: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    return [entry for entry in found["context"]["____execution_log____"] if entry["type"] in types]


@contextmanager
def new_place(running: Up, run: Run, *scopes: str) -> Iterator[Place]:
    """An organization with an environment, and a key for it that may do everything there, or what its scopes say."""
    name, data = f"Place {next(_numbers)}", ("--data", str(running.folder))
    assert run("organizations", "create", name, *data).code == 0
    assert run("environments", "create", "dev", "--organization", name, *data).code == 0
    options = ("--organization", name, "--environment", "dev", *data)
    with keyed(running, run, options, *scopes) as place:
        yield place


@contextmanager
def keyed(running: Up, run: Run, options: tuple[str, ...], *scopes: str) -> Iterator[Place]:
    """The same place by another key."""
    given = [word for scope in scopes for word in ("--scope", scope)]
    made = run("keys", "create", "--name", f"key {next(_numbers)}", *given, *options, "--json")
    key = json.loads(made.out)["key"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=running.url, headers=headers, timeout=40, trust_env=False) as client:
        yield Place(client, options)
