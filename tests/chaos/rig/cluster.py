"""Two platform processes on one PostgreSQL database."""

import asyncio
import base64
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos.rig.process import MakePulse, Pulse
from tests.chaos.rig.senders import Address
from tests.chaos.rig.state import State, query_postgresql, read_postgresql
from tests.chaos.rig.workload import install

Row = tuple[Any, ...]
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Cluster:
    """Platforms that share a database, objects and the master key. `first` has the API key that all take."""

    def __init__(self, make_pulse: MakePulse, url: str, folder: Path) -> None:
        self.url = url
        self.objects = folder / "objects"
        environment = {
            "PULSE_DATABASE_URL": url,
            "PULSE_OBJECTS_URL": self.objects.as_uri(),
            "PULSE_SECRET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        self.first: Pulse = make_pulse(environment=environment)
        self.second: Pulse = make_pulse(environment=environment)

    def start(self) -> Address:
        """Both at once, on an empty database; where and how to send."""
        for pulse in (self.first, self.second):
            pulse.start()
        for pulse in (self.first, self.second):
            pulse.wait_until_ready()
        with closing(self.first.door()) as door:
            hook = install(door)
        ports = [self.first.port, self.second.port]
        return Address(ports, self.first.credentials["apiKey"], hook, is_sure=False)

    def cut_connections(self) -> None:
        """Ends every connection to the database, whatever is going on in it."""
        self.query(CUT)

    def state(self) -> State:
        return read_postgresql(self.url, self.objects)

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Inside, whoever writes into a table waits; what is being written when it begins is waited for first."""
        with asyncio.Runner() as runner:
            connection = runner.run(asyncpg.connect(self.url.replace("+asyncpg", "")))
            try:
                runner.run(connection.execute(f"BEGIN; LOCK TABLE {table} IN SHARE MODE"))
                yield
            finally:
                runner.run(connection.close())

    def query(self, statement: str, *values: object) -> list[Row]:
        """Rows of the database itself."""
        return query_postgresql(self.url, statement, *values)
