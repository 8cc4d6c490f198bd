"""A server that answers as the test says at the moment, and calls of `httpRequest` as scripts write them."""

import asyncio
import json
from typing import Any

from tests.integration.effects.functions.peers import told
from tests.integration.egress.servers import Answering, Heard


class Turning:
    """Answers as the test says at the moment."""

    def __init__(self) -> None:
        self.answering: Answering = told(200, {"ok": True})

    async def __call__(self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.answering(heard, reader, writer)


def options(**given: Any) -> str:
    return f"await httpRequest({json.dumps(given)})"
