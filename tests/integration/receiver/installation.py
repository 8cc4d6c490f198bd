"""A whole installation on a data folder of its own, opened by the test: everything but evaluation, without a server."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, inspect, text

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.settings import load_settings
from pulse.bootstrap.wiring import Parts
from pulse.messages.records import Outcome, Work
from pulse.messages.result import empty_body
from pulse.tenancy.records import Environment, Organization, Source

_numbers = count(1)


@dataclass(frozen=True)
class Tenant:
    """An environment and a key for it that may do everything there, or what its scopes say."""

    organization: Organization
    environment: Environment
    key: str

    @property
    def organization_id(self) -> str:
        return self.environment.organization_id

    @property
    def environment_id(self) -> str:
        return self.environment.id

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def place(self) -> dict[str, str]:
        return {"organizationId": self.organization_id, "environmentId": self.environment_id}


@dataclass
class Installation:
    """Opened data, a client that is nobody yet, and ways to make what a test needs."""

    data: OpenData
    client: httpx2.AsyncClient

    @property
    def parts(self) -> Parts:
        return self.data.parts

    @property
    def operator(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.data.local_token}"}

    async def tenant(self, name: str = "Acme") -> Tenant:
        """A new organization whose name begins so, with an environment *development* and a key."""
        organization = await self.parts.tenancy.create_organization(f"{name} {next(_numbers)}")
        place = await self.parts.tenancy.create_environment(organization.id, "development")
        return await self.another_key(Tenant(organization, place, ""))

    async def another_environment(self, tenant: Tenant, name: str = "production") -> Tenant:
        """Another environment of the same organization, with a key of its own."""
        place = await self.parts.tenancy.create_environment(tenant.organization_id, name)
        return await self.another_key(replace(tenant, environment=place))

    async def another_key(self, tenant: Tenant, *scopes: str) -> Tenant:
        """Another key of the same environment."""
        _, key = await self.parts.tenancy.create_key(tenant.environment, "test", scopes)
        return replace(tenant, key=key)

    async def post(self, path: str, body: bytes, **headers: str) -> httpx2.Response:
        """Posts bytes as they are, as JSON where `content_type` says nothing else."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, content=body, headers={"content-type": "application/json", **named})

    async def send(self, tenant: Tenant, message: Any, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
        """Sends a message: bytes as they are, anything else as JSON."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.post(path, body, authorization=tenant.headers["Authorization"], **headers)

    async def sent(self, tenant: Tenant, message: Any, **headers: str) -> str:
        """The id of a message that was accepted."""
        answer = await self.send(tenant, message, **headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def payload(self, tenant: Tenant, message_id: str) -> bytes:
        """The message as it is stored."""
        return (await self.parts.reader.message(tenant.organization_id, message_id)).payload

    async def count(self, tenant: Tenant) -> int:
        """How many messages the environment has."""
        answer = await self.client.get("/api/messages", headers=tenant.headers)
        return int(answer.json()["pagination"]["total"])

    async def end(self, status: str = "success", **fields: Any) -> None:
        """Ends everything that waits, whosever it is, with this status, as a consumer would."""
        while works := await self.parts.queue.claim(100):
            await self._end(works, status, fields)

    async def _end(self, works: list[Work], status: str, fields: dict[str, Any]) -> None:
        for work in works:
            outcome = Outcome(
                id=work.id,
                epoch=work.epoch,
                status=status,
                completed_at=self.parts.clock.now_ms(),
                elapsed_ms=fields.get("elapsed_ms", 5),
                body=empty_body(),
                organization_id=work.organization_id,
                lane=work.lane,
                **{name: value for name, value in fields.items() if name != "elapsed_ms"},
            )
            assert await self.parts.outcomes.store(outcome)

    async def source(self, tenant: Tenant, kind: str, secret: str | None = None) -> Source:
        return await self.parts.sources.create(tenant.environment, kind, kind, secret)

    async def counted(self, metric: str, **labels: str) -> float:
        """The value of a figure of `/metrics`; nothing counted is 0."""
        shown = (await self.client.get("/metrics")).text
        samples = [sample for family in text_string_to_metric_families(shown) for sample in family.samples]
        return sum(sample.value for sample in samples if sample.name == metric and sample.labels == labels)

    async def rows(self) -> dict[str, list[str]]:
        """Every row of the database as text, by table."""
        async with self.parts.database.read() as connection:
            return await connection.run_sync(_rows)

    def lose_the_database(self) -> None:
        """Puts a folder where the database file was; connections that are open must have been closed before."""
        for file in self.data.settings.data.glob("pulse.db*"):
            file.unlink()
        (self.data.settings.data / "pulse.db").mkdir()


def _rows(connection: Connection) -> dict[str, list[str]]:
    names = [name for name in inspect(connection).get_table_names() if not name.startswith("pulse_memory_words")]
    return {name: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{name}"')))) for name in names}  # noqa: S608


@asynccontextmanager
async def installed(folder: Path, **settings: Any) -> AsyncIterator[Installation]:
    """An installation in `folder`; `settings` by the names of their environment variables."""
    data = OpenData(load_settings(folder, **settings), url="http://pulse.test")
    try:
        await data.prepare()
        transport = httpx2.ASGITransport(data.app(), raise_app_exceptions=False)
        async with httpx2.AsyncClient(base_url="http://pulse.test", transport=transport) as client:
            yield Installation(data, client)
    finally:
        await data.close()
        shutil.rmtree(folder, ignore_errors=True)
