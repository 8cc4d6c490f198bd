"""Addresses of mail: what RFC 5321 lets a mailbox be, without quoted local parts and address literals.

Names of domains are kept as DNS has them (IDNA 2008 with the UTS 46 mapping), so that any server takes them. A local
part may have letters beyond ASCII (RFC 6531); whether a server takes that, it says itself.
"""

import re
from dataclasses import dataclass

import idna

MAX_NAME = 200
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_WITH_NAME = re.compile(r"(?P<name>[^<>]*)<(?P<mailbox>[^<>]*)>", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Address:
    """A mailbox, and the name it is shown with (empty where there is none); `domain` in ASCII and lower case."""

    local: str
    domain: str
    name: str = ""

    @property
    def mailbox(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def is_ascii(self) -> bool:
        """Whether every server takes it; only a local part can keep one from it."""
        return self.local.isascii()


def parse_address(text: str) -> Address:
    """The address in `ada@example.com` or `Ada Lovelace <ada@example.com>`. Raises ValueError in plain words."""
    if unprintable(text):
        raise ValueError("An address has no line breaks and no other control characters.")
    found = _WITH_NAME.fullmatch(text.strip())
    name = _plain_name(found["name"]) if found else ""
    mailbox = (found["mailbox"] if found else text).strip()
    local, at, domain = mailbox.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(local.encode()) > 64:
        raise ValueError(f"{_short(mailbox)} is no mail address: write it like ada@example.com.")
    return Address(local, _ascii_domain(domain, mailbox), name)


def unprintable(text: str) -> bool:
    """Whether there is something in the text that could end a line, or that is no character at all."""
    return _UNPRINTABLE.search(text) is not None


def _plain_name(text: str) -> str:
    name = text.strip()
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    if len(name) > MAX_NAME:
        raise ValueError(f"The name beside an address has at most {MAX_NAME} characters.")
    return name


def _ascii_domain(domain: str, mailbox: str) -> str:
    try:
        ascii_name = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain.lower()
    except idna.IDNAError:
        raise ValueError(f"{_short(mailbox)}: there can be no domain of that name.") from None
    labels = ascii_name.split(".")
    if len(ascii_name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{_short(mailbox)}: there can be no domain of that name.")
    return ascii_name


def _short(mailbox: str) -> str:
    return repr(mailbox if len(mailbox) <= 80 else mailbox[:80] + "…")
