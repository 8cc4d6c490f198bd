"""What a browser brings back from the identity provider: once, the browser that went, and nothing planted."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from pulse.tenancy.people.attempts import MOST
from pulse.tenancy.tables import tenancy_tables
from tests.integration.console.people.oidc.visitors import CALLBACK, OIDC, Office, Visitor


async def test_what_came_back_once_does_not_come_back_again(office: Office) -> None:
    await office.user()
    ada = office.visitor()
    back = await ada.sent_back()
    kept = dict(ada.cookies)
    assert (await ada.come_back(back)).status_code == 303
    again = await Visitor(office.pulse, kept).come_back(back)
    assert (again.status_code, again.json()["code"]) == (403, "sign_in_void")
    assert office.issuer.refusals == []


async def test_of_many_who_come_back_at_once_one_comes_in(office: Office) -> None:
    await office.user()
    ada = office.visitor()
    back = await ada.sent_back()
    visitors = [Visitor(office.pulse, dict(ada.cookies)) for _ in range(5)]
    answers = await asyncio.gather(*(each.come_back(back) for each in visitors))
    assert sorted(answer.status_code for answer in answers) == [303, 403, 403, 403, 403]
    assert office.issuer.refusals == []


async def test_another_browser_cannot_end_it(office: Office) -> None:
    await office.user()
    ada, eve = office.visitor(), office.visitor()
    back = await eve.sent_back()
    await ada.leave()
    for other in (ada, office.visitor()):
        answer = await other.come_back(back)
        assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_void")
        assert await other.email() is None
    # Those who tried have not ended it for the browser that began it.
    assert (await eve.come_back(back)).status_code == 303


@pytest.mark.parametrize("state", ["", "x", "é", "\x00", "%"])
async def test_states_of_nobody(office: Office, state: str) -> None:
    ada = office.visitor()
    await ada.leave()
    answer = await ada.pulse.client.get(
        CALLBACK,
        params={"state": state, "code": "x"},
        headers={"cookie": f"rocketwave_oidc={ada.cookies['rocketwave_oidc']}"},
    )
    assert (answer.status_code, answer.json()["code"]) in {(403, "sign_in_void"), (422, "invalid_fields")}


async def test_a_sign_in_that_took_too_long(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.user()
    ada = office.visitor()
    back = await ada.sent_back()
    later = office.pulse.parts.clock.now_ms() + 600_000
    monkeypatch.setattr(type(office.pulse.parts.clock), "now_ms", lambda _clock: later)
    answer = await ada.come_back(back)
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_void")


async def test_a_code_of_another_sign_in_is_not_taken(office: Office) -> None:
    """Its verifier is another one: the provider refuses, and whoever planted the code gets nobody signed in."""
    await office.user()
    ada, eve = office.visitor(), office.visitor()
    own, hers = await ada.sent_back(), await eve.sent_back()
    codes = [parse_qs(urlsplit(back).query)["code"][0] for back in (own, hers)]
    answer = await ada.come_back(own.replace(codes[0], codes[1]))
    assert (answer.status_code, answer.json()["code"]) == (403, "provider_refused")
    assert office.issuer.refusals == ["invalid_grant"]


async def test_what_the_provider_adds_to_the_address_means_nothing(office: Office) -> None:
    await office.user()
    office.issuer.more = {
        "session_state": "x",
        "hd": "example.com",
        "organizationId": "org_x",
        "iss": office.issuer.url,
    }
    assert (await office.visitor().sign_in()).status_code == 303
    office.issuer.more = {"iss": "https://another.example.com"}
    assert await office.refused() == (403, "sign_in_void")


@pytest.mark.parametrize(
    ("error", "shown"), [("access_denied", True), ("<script>", False), ("x" * 41, False), ("", False)]
)
async def test_the_provider_may_refuse(office: Office, error: str, shown: bool) -> None:
    ada = office.visitor()
    state = parse_qs(urlsplit(await ada.leave()).query)["state"][0]
    answer = await ada.come_back(f"{CALLBACK}?state={state}&error={error}&error_description=call+0800")
    assert (answer.status_code, answer.json()["code"]) == (403, "provider_refused")
    assert (f"({error})" in answer.text) is shown
    assert "0800" not in answer.text


async def test_attempts_that_come_to_nothing_are_counted(office: Office) -> None:
    for _ in range(MOST["address"]):
        await office.visitor().leave()
    answer = await office.visitor().get(OIDC)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")


async def test_those_who_come_in_cost_their_address_nothing(office: Office) -> None:
    await office.user()
    for _ in range(3):
        assert (await office.visitor().sign_in()).status_code == 303
    table = tenancy_tables(office.pulse.parts.database.prefix).sign_in_failures
    async with office.pulse.parts.database.read() as connection:
        assert [row.failures for row in await connection.execute(select(table))] == [0]
