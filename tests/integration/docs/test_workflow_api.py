"""The requests in docs/reference/workflow-format.md are answered as it says, by a whole installation that evaluates.

The requests below one heading are made one after another, in an environment that nobody else uses. `<Name>` is the id
of what was made under that name, `<message>` that of the last message sent, `<replay>` that of the last replay.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pulse.bootstrap.platform import OpenData, Platform
from pulse.bootstrap.settings import load_settings
from tests.integration.docs.page import ANSWER, REQUEST, Block, differences, read_page, workflow_format
from tests.integration.receiver.installation import Installation

STORIES = {heading: blocks for heading, blocks in read_page(workflow_format()).stories.items() if blocks}
URL = "http://pulse.test"


@dataclass
class Story:
    """Requests in one environment, the answer to the last one, and the ids of what they made."""

    client: httpx2.AsyncClient
    headers: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)
    answer: httpx2.Response | None = None

    async def tell(self, block: Block) -> list[str]:
        """Makes the request, or looks at the answer to the one before; what is not as it is shown."""
        if answer := ANSWER.fullmatch(block.info):
            return self._unlike(block, int(answer[1]))
        request = REQUEST.fullmatch(block.info)
        assert request is not None
        method, path = request[1], self._with_ids(request[2])
        body = None if method == "GET" else self._with_ids(block.text)
        headers = {**self.headers, "content-type": "application/json"}
        self.answer = await self.client.request(method, path, content=body, headers=headers)
        self._keep(json.loads(body) if body else {})
        return self._unlike(block, 200) if method == "GET" else []

    def _unlike(self, block: Block, status: int) -> list[str]:
        assert self.answer is not None
        if self.answer.status_code != status:
            return [f"{block.place}: {self.answer.status_code} {self.answer.text}"]
        return list(differences(json.loads(self._with_ids(block.text)), self.answer.json(), block.place))

    def _keep(self, sent: dict[str, Any]) -> None:
        assert self.answer is not None
        said = self.answer.json()
        if "messageId" in said:
            self.ids["replay" if "replayOf" in said else "message"] = said["messageId"]
        elif "id" in said and self.answer.request.method != "GET":
            self.ids[sent.get("name", "message")] = said["id"]

    def _with_ids(self, text: str) -> str:
        return re.sub(r"<([^<>]+)>", lambda found: self.ids[found[1]], text)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[tuple[httpx2.AsyncClient, dict[str, str]]]:
    """A client of an installation in this process, with the key of a new environment."""
    data = OpenData(load_settings(tmp_path / "data"), url=URL)
    platform = None
    try:
        await data.prepare()
        platform = Platform(data)
        await platform.start()
        transport = httpx2.ASGITransport(platform.app(), raise_app_exceptions=False)
        async with httpx2.AsyncClient(base_url=URL, transport=transport, timeout=50) as client:
            tenant = await Installation(data, client).tenant()
            yield client, tenant.headers
    finally:
        if platform is not None:
            await platform.stop()
        await data.close()


@pytest.mark.parametrize("heading", STORIES)
async def test_requests_are_answered_as_shown(heading: str, client: tuple[httpx2.AsyncClient, dict[str, str]]) -> None:
    story, blocks = Story(*client), STORIES[heading]
    for block, after in zip_longest(blocks, blocks[1:]):
        assert await story.tell(block) == []
        shown = any(each is not None and ANSWER.fullmatch(each.info) for each in (block, after))
        assert story.answer is not None
        assert shown or story.answer.is_success, story.answer.text


def test_every_kind_of_body_is_shown() -> None:
    requests = " ".join(block.info for blocks in STORIES.values() for block in blocks)
    for path in ("workflow-entities", "workflows", "messages", "trigger", "replay", "test", "versions", "tree"):
        assert f"/{path}" in requests, path


async def test_an_answer_that_is_not_as_shown_is_seen(client: tuple[httpx2.AsyncClient, dict[str, str]]) -> None:
    story = Story(*client)
    block = Block("json POST /api/workflow-entities", '{"name": "A", "entityType": "event"}', "", 1)
    assert await story.tell(block) == []
    assert await story.tell(Block("json 200", "{}", "", 1))
    assert await story.tell(Block("json 201", '{"name": "B"}', "", 1))
    assert await story.tell(Block("json 201", '{"id": "<A>", "name": "A"}', "", 1)) == []
