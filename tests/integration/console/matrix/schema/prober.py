"""Sends what schemathesis makes up to an installation of its own, in process, and has it look at every answer."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import requests
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pulse.tenancy.roles import PERMISSIONS
from pulse.tenancy.tables import tenancy_tables
from tests.integration.console.matrix.askers import Asker, askers
from tests.integration.console.matrix.houses import House, furnish, house
from tests.integration.console.matrix.tables import PARAMETERS, is_of_nobody
from tests.integration.receiver.installation import Installation, installed

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
# Nothing runs beside the installation: what needs a sandbox says that there is none.
UNAVAILABLE = 503
MAX_URL = 32_000


@dataclass
class Prober:
    """`asked` counts answers by status, `failures` says what was wrong with them."""

    portal: BlockingPortal
    pulse: Installation
    home: House
    who: dict[str, Asker]
    schema: schemathesis.BaseSchema
    asked: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def run(self, size: int) -> None:
        """Asks at least `size` times: the same of every operation, then more of those that take most."""
        found: list[Any] = [result.ok() for result in self.schema.get_all_operations() if isinstance(result, Ok)]
        share, rounds = size * 3 // 4 // len(found) + 1, 0
        while self.asked.total() < size:
            before = self.asked.total()
            for operation in found:
                if not rounds or (operation.body and self.asked.total() < size):
                    self._probe(operation, share, rounds)
            rounds += 1
            assert self.asked.total() > before, "there is nothing more to ask"

    def _probe(self, operation: Any, count: int, number: int) -> None:
        self.portal.call(self._sign_in)
        for mode in MODES:
            cases = self._cases(operation, mode)
            if cases is not None:
                self._generate(operation, cases, max(1, count // len(MODES)), number)

    def _cases(self, operation: Any, mode: Any) -> Any:
        """What schemathesis would send, or None: what takes no input cannot be asked wrongly."""
        has_input = operation.body or operation.query or operation.path_parameters
        if mode == schemathesis.GenerationMode.NEGATIVE and not has_input:
            return None
        return operation.as_strategy(generation_mode=mode)

    def _generate(self, operation: Any, cases: Any, count: int, number: int) -> None:
        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def ask(case: Any) -> None:
            self._ask(case, sum(self.asked.values()))

        ask()

    def _ask(self, case: Any, number: int) -> None:
        permission = case.operation.definition.raw["x-permission"]
        if case.path_parameters and number % 4:
            case.path_parameters = self.portal.call(self._living, case.operation.path, dict(case.path_parameters))
        if number % 8 and not is_of_nobody(permission):
            # Where there is something: made-up names lead nowhere.
            case.query = {**(case.query or {}), **self.home.tenant.place}
        given_kwargs = case.as_transport_kwargs(base_url="http://pulse.test/api")
        sent = requests.Request(**given_kwargs).prepare()
        # No server reads an address that is longer, and one with a line break in it is no address below `/api`.
        assume(len(str(sent.url)) < MAX_URL and "%0A" not in sent.path_url.partition("?")[0])
        answer = self.portal.call(self._send, sent, permission)
        self.asked[answer.status_code] += 1
        if answer.status_code == UNAVAILABLE:
            return
        response = schemathesis.Response(
            status_code=answer.status_code,
            headers={name: [value] for name, value in answer.headers.items()},
            content=answer.content,
            request=sent,
            elapsed=0.0,
            verify=False,
        )
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failed:
            what = "; ".join(str(each) for each in failed.exceptions)
            self.failures.append(f"{sent.method} {sent.url} {sent.body!r:.300}: {what} {answer.text[:300]}")

    async def _living(self, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The ids of what there is, in the place of made-up ones."""
        for name in parameters:
            place = PARAMETERS.get((path, name)) or PARAMETERS[name]
            parameters[name] = await self.home.of(place.strip("<>")) if place.startswith("<") else place
        return parameters

    async def _send(self, sent: requests.PreparedRequest, permission: str) -> httpx2.Response:
        asker = self.who["System" if is_operators(permission) else "Admin"]
        self.pulse.client.cookies.clear()
        headers = {**{name: str(value) for name, value in sent.headers.items()}, **asker.headers}
        assert sent.body is None or isinstance(sent.body, str | bytes)
        return await self.pulse.client.request(str(sent.method), str(sent.url), headers=headers, content=sent.body)

    async def _sign_in(self) -> None:
        # Sign-ins that were made up have failed, from this very address.
        database = self.pulse.parts.database
        await database.transact(
            lambda connection: connection.execute(tenancy_tables(database.prefix).sign_in_failures.delete())
        )
        for name in ("Admin", "System"):
            await self.who[name].sign_in()


def is_operators(permission: str) -> bool:
    """Whether no role in an organization has it."""
    return not is_of_nobody(permission) and PERMISSIONS[permission].least == "System"


@contextmanager
def prober(folder: Path) -> Iterator[Prober]:
    """On a loop of its own: what schemathesis generates, it generates without one."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(installed(folder)) as pulse:
        home, who, document = portal.call(_prepared, pulse)
        yield Prober(portal, pulse, home, who, schemathesis.openapi.from_dict(document))


async def _prepared(pulse: Installation) -> tuple[House, dict[str, Asker], dict[str, Any]]:
    pulse.parts.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1 << 10)
    home, stranger = await furnish(await house(pulse, "home")), await house(pulse, "stranger")
    document = (await pulse.client.get("/api/openapi.json")).json()
    return home, await askers(pulse, home, stranger), document
