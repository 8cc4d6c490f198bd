"""What Pulse writes to people, in words for somebody who has never heard of it; plain text, with one link."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

from pulse.core.errors import Fault, InvalidFields, Unavailable
from pulse.mail.addresses import parse_address, unprintable
from pulse.mail.port import Mail, Mailer, MailFailed
from pulse.tenancy.people.records import Ticket

# No machine answers a mail that says so (RFC 3834).
HEADERS = (("Auto-Submitted", "auto-generated"),)
MAY = {
    "Admin": "As an Admin you may change everything there, and decide who else belongs to it.",
    "User": "As a User you may build and run its workflows.",
    "Guest": "As a Guest you may look at everything, and change nothing.",
}
INVITATION = """\
Hello,

{inviter} invites you to work with {organization} in Pulse.

Pulse is a program that does routine work by itself: when a message comes in from another program, it runs the steps
that people have drawn for it. {may}

To accept the invitation, open this page and follow what it says:

{link}

The link is for {email} alone and works once, until {end}. Please do not pass it on.

If you did not expect this, you need do nothing: without you nothing happens.
"""
RESET = """\
Hello,

somebody, most likely you, asked for a new password for {email} in Pulse at {url}.

To choose one, open this page within the next 30 minutes:

{link}

The link works once. If you asked more than once, only the newest one works.

If it was not you, you need do nothing: your password stays as it is.
"""


class MailNotSent(Unavailable):
    """The mail could not be sent."""

    code = "mail_failed"


def invitation(ticket: Ticket, token: str, organization: str, inviter: str, url: str) -> Mail:
    """The mail that an invitation comes with; `inviter` is a mail address, or whatever else says who it is."""
    name, end = _one_line(organization), datetime.fromtimestamp(ticket.expires_at // 1000, UTC)
    words = {
        "inviter": inviter,
        "organization": name,
        "may": MAY.get(ticket.role or "", ""),
        "link": link(url, "invitation", token),
        "email": ticket.email,
        "end": f"{end.day} {end:%B %Y, %H:%M} UTC",
    }
    return _letter(ticket.email, f"You are invited to {name} in Pulse", INVITATION.format(**words), token)


def reset(email: str, token: str, url: str) -> Mail:
    """The mail for who has forgotten the password."""
    words = RESET.format(email=email, url=url, link=link(url, "reset", token))
    return _letter(email, "Choose a new password for Pulse", words, token)


def link(url: str, page: str, token: str) -> str:
    """The address of a page (see pages.py) with a ticket's token."""
    return f"{url.rstrip('/')}/{page}?token={quote(token, safe='')}"


def require_deliverable(email: str) -> None:
    """Raises InvalidFields for an address to which no mail can be sent."""
    try:
        parse_address(email)
    except ValueError as error:
        raise InvalidFields([Fault("email", "invalid_email", str(error))]) from None


async def send(mailer: Mailer, letter: Mail) -> None:
    """Raises MailNotSent, with the mailer's reason."""
    try:
        await mailer.send(letter)
    except MailFailed as error:
        raise MailNotSent(f"The mail could not be sent: {error.message}") from error


def _letter(email: str, subject: str, text: str, token: str) -> Mail:
    # The key shows in the mail's Message-ID: it comes from the token, and leads nowhere.
    key = hashlib.sha256(f"letter {token}".encode()).hexdigest()
    return Mail(to=(email,), subject=subject, key=key, text=text, headers=HEADERS)


def _one_line(name: str) -> str:
    """A name that somebody chose, without line breaks and other characters that are none."""
    shown = "".join(" " if unprintable(letter) else letter for letter in name)
    return " ".join(shown.split()) or "an organization"
