"""The mail of an installation, which its outbox keeps as files, and the pages that links in it lead to."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.integration.console.people.rooms import Browser
from tests.integration.receiver.installation import Installation, Tenant

INVITATIONS, RESET = "/api/invitations", "/api/session/reset"


def letters(pulse: Installation, email: str) -> list[EmailMessage]:
    """All mail to this address, oldest first."""
    files = sorted((pulse.data.settings.data / "outbox").glob("*.eml"))
    found = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [each for each in found if each["To"] == email]


def link_in(letter: EmailMessage) -> str:
    """Its one link."""
    (found,) = re.findall(r"http://pulse\.test/[^\s]+\?[^\s]+", letter.get_content())
    return str(found)


def token_in(letter: EmailMessage) -> str:
    return parse_qs(urlsplit(link_in(letter)).query)["token"][0]


async def invite(admin: Browser, email: str, role: str = "User") -> tuple[dict[str, Any], str]:
    """An invitation that was mailed, and its token."""
    answer = await admin.send("POST", INVITATIONS, {"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()), token_in(letters(admin.pulse, email)[-1])


async def ask_reset(pulse: Installation, email: str) -> str:
    """The token of the mail that comes when somebody has forgotten their password."""
    answer = await pulse.client.post(RESET, json={"email": email})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    return token_in(letters(pulse, email)[-1])


async def emails(browser: Browser, tenant: Tenant) -> list[str]:
    """The members of the organization."""
    answer = await browser.send("GET", f"/api/members?organizationId={tenant.organization_id}&limit=100")
    return [row["email"] for row in answer.json()["data"]]


class Form(HTMLParser):
    """The form of a page, as a browser sees it; `text` is what people read."""

    def __init__(self, page: httpx2.Response) -> None:
        super().__init__()
        self.page = page
        self.action = ""
        self.fields: dict[str, str] = {}
        self.tags: list[str] = []
        self.text = ""
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "form":
            assert given["method"] == "post"
            self.action = given["action"]
        if tag == "input":
            self.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text += data


async def opened(browser: Browser, link: str) -> Form:
    return Form(await browser.send("GET", link.removeprefix("http://pulse.test")))


async def submitted(browser: Browser, form: Form, **filled: str) -> httpx2.Response:
    """Sends the form as a browser does."""
    client = browser.pulse.client
    headers = {"origin": "http://pulse.test", "sec-fetch-site": "same-origin"}
    if browser.cookie:
        headers["cookie"] = f"rocketwave_session={browser.cookie}"
    client.cookies.clear()
    answer = await client.post(form.action, data={**form.fields, **filled}, headers=headers)
    if "rocketwave_session" in answer.cookies:
        browser.cookie = answer.cookies["rocketwave_session"]
    client.cookies.clear()
    return answer
