"""A refused sign-in tells nobody which accounts there are: not by what it says, and not by the work that it takes."""

import pytest
from argon2 import extract_parameters

from pulse.tenancy.people.attempts import MOST
from pulse.tenancy.people.passwords import Passwords
from tests.integration.console.people.rooms import PASSWORD, SESSION, user
from tests.integration.receiver.installation import Installation


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were compared with, in order."""
    seen: list[str] = []
    real = Passwords._verify

    def spy(self: Passwords, kept: str, given: str) -> bool:
        seen.append(kept)
        return real(self, kept, given)

    monkeypatch.setattr(Passwords, "_verify", spy)
    return seen


async def test_known_and_unknown_people_are_refused_alike(alone: Installation, verified: list[str]) -> None:
    known = (await user(alone, await alone.tenant()))["email"]
    await alone.parts.people.users.create("sso@example.com", None)
    answers = []
    for email in (known, "nobody@example.com", "sso@example.com"):
        verified.clear()
        answer = await alone.client.post(SESSION, json={"email": email, "password": "a wrong one"})
        # As much work for each: one comparison, with a hash that costs the same.
        assert len(verified) == 1, email
        cost = extract_parameters(verified[0])
        answers.append((answer.status_code, answer.content, dict(answer.headers), cost))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401


async def test_unknown_people_are_throttled_like_known_ones(alone: Installation, verified: list[str]) -> None:
    known = (await user(alone, await alone.tenant()))["email"]
    seen = []
    for email in (known, "nobody@example.com"):
        verified.clear()
        bodies = [{"email": email, "password": "a wrong one"}] * MOST["account"] + [
            {"email": email, "password": PASSWORD}
        ]
        answers = [await alone.client.post(SESSION, json=body) for body in bodies]
        seen.append([(answer.status_code, answer.content) for answer in answers])
        # Who is refused for too many tries costs nothing.
        assert len(verified) == MOST["account"]
    assert seen[0] == seen[1]
    assert [status for status, _ in seen[0]] == [401] * MOST["account"] + [429]
