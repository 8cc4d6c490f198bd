"""The administrator whom the first start makes: no password that anybody knows, and a link that works once."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest
from argon2 import PasswordHasher

from pulse.bootstrap.demo import Demo, make_demo
from pulse.core.errors import StorageDown
from pulse.tenancy.people.records import User
from pulse.tenancy.people.users import UserStore
from tests.integration.console.people.post import opened, submitted
from tests.integration.console.people.rooms import PASSWORD, PROFILE, SESSION, USERS, Browser
from tests.integration.receiver.installation import Installation, installed

URL = "http://pulse.test"


@pytest.fixture
async def pulse(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(tmp_path / "data") as installation:
        installation.parts.people.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1 << 10)
        yield installation


def credentials(pulse: Installation) -> Path:
    return pulse.data.settings.data / "credentials.json"


async def start(pulse: Installation) -> Demo:
    """What every start does."""
    made = await make_demo(pulse.parts, credentials(pulse), URL, with_workflows=False)
    assert made is not None
    return made


async def administrator(pulse: Installation) -> User:
    (found,) = [user for user in await pulse.parts.people.users.all() if user.is_system]
    return found


async def come_in(pulse: Installation, demo: Demo) -> Browser:
    somebody = Browser(pulse)
    form = await opened(somebody, demo.sign_in_url or "")
    assert (await submitted(somebody, form)).status_code == 303
    somebody.csrf = (await somebody.send("GET", SESSION)).json()["csrfToken"]
    return somebody


async def test_the_first_start(pulse: Installation) -> None:
    demo, found = await start(pulse), await administrator(pulse)
    assert (found.email, found.password, found.disabled_at) == ("admin@localhost", None, None)
    (member,) = await pulse.parts.people.members.members(demo.organization_id)
    assert (member.user_id, member.role) == (found.id, "Admin")
    told = json.loads(credentials(pulse).read_text())
    assert (told["adminEmail"], told["signInUrl"]) == (demo.admin_email, demo.sign_in_url)
    assert stat.S_IMODE(credentials(pulse).stat().st_mode) == 0o600
    somebody = await come_in(pulse, demo)
    shown = (await somebody.send("GET", SESSION)).json()
    assert (shown["user"]["email"], shown["user"]["role"]) == ("admin@localhost", "System")
    assert (await somebody.send("GET", USERS)).status_code == 200


@pytest.mark.parametrize("password", ["", "admin", "password", "admin@localhost", "changeme", "None"])
async def test_there_is_no_password_to_guess(pulse: Installation, password: str) -> None:
    await start(pulse)
    answer = await pulse.client.post(SESSION, json={"email": "admin@localhost", "password": password})
    assert answer.status_code in (401, 422)


async def test_each_start_has_a_link_until_there_is_a_password(pulse: Installation) -> None:
    first, second = await start(pulse), await start(pulse)
    assert first.sign_in_url != second.sign_in_url
    assert (await opened(Browser(pulse), first.sign_in_url or "")).page.status_code == 404
    assert second.api_key == first.api_key
    somebody = await come_in(pulse, second)
    third = await start(pulse)
    assert third.sign_in_url not in (None, second.sign_in_url)
    assert (await somebody.send("PUT", f"{PROFILE}/password", {"newPassword": PASSWORD})).status_code == 204
    assert (await start(pulse)).sign_in_url is None
    told = json.loads(credentials(pulse).read_text())
    assert (told["adminEmail"], "signInUrl" in told) == ("admin@localhost", False)
    assert (await Browser(pulse).sign_in("admin@localhost")).status_code == 200


async def test_a_password_ends_the_link_of_before(pulse: Installation) -> None:
    first = await start(pulse)
    somebody = await come_in(pulse, first)
    left_over = await start(pulse)
    assert (await somebody.send("PUT", f"{PROFILE}/password", {"newPassword": PASSWORD})).status_code == 204
    assert (await opened(Browser(pulse), left_over.sign_in_url or "")).page.status_code == 404


async def test_nobody_makes_the_administrator_again(pulse: Installation) -> None:
    await start(pulse)
    found = await administrator(pulse)
    body = {"email": "root@example.com", "password": PASSWORD, "role": "System"}
    assert (await pulse.client.post(USERS, json=body, headers=pulse.operator)).status_code == 201
    other = {"email": "owner@example.com", "password": PASSWORD, "role": "Admin", "organizationId": "Demo"}
    assert (await pulse.client.post(USERS, json=other, headers=pulse.operator)).status_code == 201
    disabled = await pulse.client.put(f"{USERS}/{found.id}", json={"disabled": True}, headers=pulse.operator)
    assert disabled.status_code == 200, disabled.text
    assert (await start(pulse)).sign_in_url is None
    assert (await pulse.client.delete(f"{USERS}/{found.id}", headers=pulse.operator)).status_code == 204
    again = await start(pulse)
    assert (again.admin_email, again.sign_in_url) == (None, None)
    assert [user.email for user in await pulse.parts.people.users.all()] == ["root@example.com", "owner@example.com"]


async def test_a_first_start_that_is_cut_off_is_finished_by_the_next(
    pulse: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_given: object) -> NoReturn:
        raise StorageDown

    monkeypatch.setattr(UserStore, "_join", cut_off)
    with pytest.raises(StorageDown):
        await start(pulse)
    assert await pulse.parts.people.users.all() == []
    monkeypatch.undo()
    demo, found = await start(pulse), await administrator(pulse)
    (member,) = await pulse.parts.people.members.members(demo.organization_id)
    assert (member.user_id, member.role) == (found.id, "Admin")


async def test_an_older_installation_gets_its_administrator(pulse: Installation) -> None:
    demo = await start(pulse)
    found = await administrator(pulse)
    people = pulse.parts.people
    await people.users.create("root@example.com", None, is_system=True)
    await people.users.create("owner@example.com", None)
    owner = await people.users.by_email("owner@example.com")
    assert owner is not None
    await people.members.add(demo.organization_id, owner.id, "Admin")
    await people.departures.delete(found.id)
    old = {name: text for name, text in json.loads(credentials(pulse).read_text()).items() if "Email" not in name}
    credentials(pulse).write_text(json.dumps({**old, "signInUrl": "gone"}))
    again = await start(pulse)
    assert (again.api_key, again.sign_in_url) == (demo.api_key, None)


async def test_behind_a_proxy_the_link_leads_there(tmp_path: Path) -> None:
    async with installed(tmp_path / "other", PULSE_PUBLIC_URL="https://pulse.example/") as other:
        assert ((await start(other)).sign_in_url or "").startswith("https://pulse.example/sign-in?token=")
