"""Asks everything of everybody, and says what was answered that should not have been.

A matrix has three organizations: *home*, to which most askers belong, a *stranger*, whose people ask for what is
home's, and a *victim*, whose ids everybody tries. Nobody of the victim ever asks, so nothing of it may ever change.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from tests.integration.console.matrix.askers import NARROW, Asker, askers, narrow
from tests.integration.console.matrix.calls import ENVIRONMENT, ORGANIZATION, Call, owned
from tests.integration.console.matrix.houses import ID, House, furnish, house, rows, rows_of
from tests.integration.console.matrix.operations import PLACE, Json, Operation, operations
from tests.integration.console.matrix.tables import FILTERS, OTHERWISE, is_of_nobody
from tests.integration.receiver.installation import Installation

GHOSTS = {"organization_name": "Nobody Ltd", "member_email": "nobody@example.com"}


@dataclass
class Matrix:
    """`failures` says, one a line, what was wrong; `asked` counts requests by status."""

    pulse: Installation
    home: House
    stranger: House
    victim: House
    who: dict[str, Asker]
    operations: list[Operation]
    schemas: Json
    failures: list[str] = field(default_factory=list)
    asked: Counter[int] = field(default_factory=Counter)
    _narrow: dict[str, Asker] = field(default_factory=dict)
    _refusals: dict[Call, tuple[int, str]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    async def run(self, calls: list[Call]) -> list[str]:
        """Asks all of it, an operation at a time: first what is to be refused, then what is allowed."""
        before = await rows_of(self.pulse, self.victim)
        self._known = {found for row in before for found in ID.findall(row)}
        # Reading comes first: there must be something to read.
        ordered = sorted(calls, key=lambda call: (call.operation.changes, str(call.operation)))
        for _, group in groupby(ordered, key=lambda call: call.operation):
            await self._about(list(group))
        self._compare_ghosts()
        after = await rows_of(self.pulse, self.victim)
        if after != before:
            self.failures.append(f"the victim has changed: {_difference(before, after)}")
        return self.failures

    async def _about(self, calls: list[Call]) -> None:
        refused = [(call, await self._asker(call)) for call in calls]
        for call, asker in refused:
            if self.expected(call, asker):
                await self._prepare(call)
        before = await rows(self.pulse)
        allowed = []
        for call, asker in refused:
            expected = self.expected(call, asker)
            if expected:
                await self._refused(call, asker, expected)
            else:
                allowed.append((call, asker))
        after = await rows(self.pulse)
        if after != before:
            changed = [_difference(before[name], after[name]) for name in after if after[name] != before.get(name)]
            self.failures.append(f"{calls[0].operation}: all were refused, and yet there changed {changed}")
        for call, asker in allowed:
            await self._allowed(call, asker)

    async def _asker(self, call: Call) -> Asker:
        if call.asker != NARROW:
            return self.who[call.asker]
        permission = call.operation.permission
        if permission not in self._narrow:
            self._narrow[permission] = await narrow(self.home, permission)
        return self._narrow[permission]

    def expected(self, call: Call, asker: Asker) -> set[int]:
        """The statuses that a refusal may have; empty: it is not refused, or (for the operator) may be anything."""
        operation, refusal = call.operation, asker.refusal(call.operation.permission)
        if refusal:
            return refusal | ({404} if refusal == {403} and self._is_elsewhere(call, asker) else set())
        if asker.is_system or is_of_nobody(operation.permission):
            return self._worst(call) if call.worst else set()
        if call.worst:
            return self._worst(call)
        is_foreign = bool(call.swapped) or (asker.home is self.stranger and owned(operation))
        return {403, 404, 422} | (OTHERWISE.get(str(operation), set()) & {503}) if is_foreign else set()

    def _is_elsewhere(self, call: Call, asker: Asker) -> bool:
        """Whether a person asks about a place where they are not: that it is not there is said before any right."""
        places = {ORGANIZATION, ENVIRONMENT, "path:organization_id"} & {*call.swapped}
        names = "path:organization_id" in owned(call.operation)
        return asker.kind == "person" and bool(places or (names and (call.worst or asker.home is self.stranger)))

    def _worst(self, call: Call) -> set[int]:
        """A stale revision, a body of nonsense and ids of nobody: what is not there is said first."""
        return {404} if call.operation.kinds else {422} if call.operation.body is not None else set()

    async def _prepare(self, call: Call) -> None:
        """Makes what the call names, so that nothing is made between two looks at the rows."""
        await self.request(call, self.who["key"])

    async def _refused(self, call: Call, asker: Asker, expected: set[int]) -> None:
        answer = await self._ask(call, asker)
        if call.swapped:
            self._refusals[call] = (answer.status_code, _code(answer))
        narrows = FILTERS.get(str(call.operation), set())
        if (
            answer.is_success
            and narrows >= {*call.swapped}
            and narrows
            and not asker.refusal(call.operation.permission)
        ):
            self._expect_nothing(call, answer)
        elif answer.status_code not in expected:
            self.failures.append(f"{call}: {answer.status_code}, and not {sorted(expected)}: {answer.text[:200]}")

    def _expect_nothing(self, call: Call, answer: httpx2.Response) -> None:
        found = answer.json()
        if found.get("data") or found.get("count"):
            self.failures.append(f"{call}: it finds {answer.text[:200]}")

    async def _allowed(self, call: Call, asker: Asker) -> None:
        answer = await self._ask(call, asker)
        operation = call.operation
        fits = answer.status_code < 400 or answer.status_code in OTHERWISE.get(str(operation), set())
        if answer.status_code >= 500 and answer.status_code != 503:
            self.failures.append(f"{call}: {answer.status_code} {answer.text[:200]}")
        elif call.is_plain and not fits:
            words = "a valid request is refused; if its body is at fault, mend matrix/tables.py (BODIES)"
            self.failures.append(f"{call}: {words}: {answer.status_code} {answer.text[:300]}")
        if operation.changes:
            for kind in {*operation.kinds} - {"organization"}:
                self.home.lost(kind)
        if operation.changes and is_of_nobody(operation.permission):
            await asker.sign_in()

    async def _ask(self, call: Call, asker: Asker) -> httpx2.Response:
        path, body = await self.request(call, asker)
        headers = {**asker.headers, **({"If-Match": '"999"'} if call.worst else {})}
        given: dict[str, Any] = {} if body is None else {"json": body}
        self.pulse.client.cookies.clear()
        answer = await self.pulse.client.request(call.operation.method, path, headers=headers, **given)
        self.pulse.client.cookies.clear()
        self.asked[answer.status_code] += 1
        self._search(call, asker, answer, f"{path} {body}")
        return answer

    async def request(self, call: Call, asker: Asker) -> tuple[str, Any]:
        """The address and the body: home's ids everywhere, but where the call says otherwise."""
        operation = call.operation
        query = {name: await self._filled(value, f"query:{name}", call) for name, value in operation.query}
        if not is_of_nobody(operation.permission):
            query |= self._place_of(asker)
        for place in (ORGANIZATION, ENVIRONMENT):
            if place in call.swapped:
                kind = place[6:-2] + ("_name" if call.by_name else "")
                query[place[6:]] = await self._filled(f"<{kind}>", place, call)
        path = operation.path
        for name, value in operation.parts:
            path = path.replace(f"{{{name}}}", quote(await self._filled(value, f"path:{name}", call), safe=""))
        body = {"nothing": 1} if call.worst and operation.body is not None else operation.body
        return f"/api{path}?{urlencode(query)}".rstrip("?"), await self._body(body, "body:", call, asker)

    def _place_of(self, asker: Asker) -> dict[str, str]:
        """What they say of where they are: a key is in one place only, and says nothing."""
        tenant = asker.home.tenant
        if asker.is_system:
            return {"organizationId": tenant.organization_id, "environmentId": tenant.environment_id}
        return {"environmentId": tenant.environment_id} if asker.kind == "person" else {}

    async def _body(self, value: Any, path: str, call: Call, asker: Asker) -> Any:
        if isinstance(value, dict):
            return {name: await self._body(each, f"{path}{name}.", call, asker) for name, each in value.items()}
        if isinstance(value, list):
            return [await self._body(each, f"{path}{at}.", call, asker) for at, each in enumerate(value)]
        if value == "<own_email>":
            return asker.email or self.who["User" if asker.home is self.home else "stranger's Admin"].email
        return await self._filled(value, path.removesuffix("."), call) if isinstance(value, str) else value

    async def _filled(self, value: str, place: str, call: Call) -> str:
        if not PLACE.fullmatch(value):
            return value
        kind = value.strip("<>")
        made = {"name": self.home.named, "identifier": self.home.identifier, "email": self.home.address}
        if kind in made:
            return made[kind]()
        if kind == "secret":
            return "something new to keep"
        if (call.ghost and place in call.swapped) or (call.worst and place.startswith("path:")):
            return GHOSTS.get(kind, "ghost_00000000000000000000000000")
        # The operator may change whatever it names: it gets the stranger's.
        other = self.stranger if self.who.get(call.asker, self.who["key"]).is_system else self.victim
        return await (other if place in call.swapped else self.home).of(kind)

    def _search(self, call: Call, asker: Asker, answer: httpx2.Response, sent: str) -> None:
        """For what no answer holds: secrets, and for all but the operator whatever is not of their organization."""
        text = f"{answer.text} {dict(answer.headers)}"
        houses = (self.home, self.stranger, self.victim)
        # Whoever signs in says whose they are.
        own = None if asker.kind == "nobody" and not is_of_nobody(call.operation.permission) else asker.home
        others = [] if asker.is_system else [each for each in houses if each is not own]
        words = [each.secret for each in houses] + [each.canary for each in others]
        leaked = [word for word in words if word in text and word not in sent]
        if not asker.is_system and call.operation.permission != "audit:read":
            # The audit says what its own people asked for, which were ids of the victim, too.
            leaked += sorted((set(ID.findall(text)) & self._known) - set(ID.findall(sent)))
        if leaked:
            self.failures.append(f"{call}: the answer shows {leaked[:3]} of somebody else: {answer.text[:200]}")

    def _compare_ghosts(self) -> None:
        """Another's id and one that nobody has must look the same, or answers tell which ids there are."""
        for call, seen in self._refusals.items():
            of_ghost = {**vars(call), "ghost": True}
            if not call.ghost and not call.by_name and (ghost := self._refusals.get(Call(**of_ghost), seen)) != seen:
                self.failures.append(f"{call}: {seen}, while an id that nobody has is {ghost}")


async def matrix(pulse: Installation) -> Matrix:
    """Three new organizations with everything in them, everybody who asks, and what there is to ask for."""
    home, stranger, victim = [await furnish(await house(pulse, word)) for word in ("home", "stranger", "victim")]
    document = (await pulse.client.get("/api/openapi.json")).json()
    who = await askers(pulse, home, stranger)
    return Matrix(pulse, home, stranger, victim, who, operations(document), document["components"]["schemas"])


def _code(answer: httpx2.Response) -> str:
    return str(answer.json().get("code", "")) if answer.content else ""


def _difference(before: list[str], after: list[str]) -> str:
    gone, come = [row for row in before if row not in after], [row for row in after if row not in before]
    return f"{[row[:300] for row in gone[:2]]} became {[row[:300] for row in come[:2]]}"
