"""The look of the pages that links in mails lead to: plain HTML without any script, for every browser.

Each function here returns markup; every text that it is given is escaped. A page loads nothing from anywhere and is
framed by nobody; the one style is allowed by its digest.

The address of a page holds a ticket. It is told to no other site (`same-origin`); `no-referrer` would be as good, but
with it browsers send forms with `Origin: null`, by which they cannot be told from another site's.
"""

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from starlette.responses import HTMLResponse

from pulse.core.errors import Fault

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2330; --dim: #5b6577; --paper: #fff; --back: #eef1f6; --line: #c9d0dc;
  --blue: #2456d6; --red: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --dim: #a3adbf; --paper: #1b212c; --back: #11151c;
  --line: #3a4454; --blue: #7ea2ff; --red: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--back);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: .75rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.25; }
p, ul { margin: 0 0 1rem; }
ul { padding-left: 1.2rem; }
form + p { margin: 1rem 0 0; color: var(--dim); }
label { display: block; margin: 0 0 1rem; color: var(--dim); }
input { display: block; width: 100%; margin-top: .25rem; padding: .6rem .7rem; font: inherit; color: var(--ink);
  background: var(--paper); border: 1px solid var(--line); border-radius: .4rem; }
button { width: 100%; padding: .7rem; font: inherit; font-weight: 600; color: var(--paper); background: var(--blue);
  border: 0; border-radius: .4rem; cursor: pointer; }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid var(--blue); outline-offset: 2px; }
a { color: var(--blue); }
.fault { color: var(--red); }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def page(title: str, *parts: str, status: int = 200) -> HTMLResponse:
    """A page of these parts, which are markup."""
    name = escape(title)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    text = f"<title>{name} – Pulse</title><style>{STYLE}</style></head><body><main><h1>{name}</h1>{''.join(parts)}"
    return HTMLResponse(f'<!doctype html><html lang="en"><head>{head}{text}</main></body></html>', status)


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def to_pulse(text: str) -> str:
    """A link to the console."""
    return f'<p><a href="/">{escape(text)}</a></p>'


def listing(lines: Iterable[str]) -> str:
    """A line below the other; nothing where there are none."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def warning(text: str) -> str:
    return faults([Fault("", "", text)])


def faults(found: Iterable[Fault]) -> str:
    """What was wrong with a form."""
    words = "".join(f"<p>{escape(fault.message)}</p>" for fault in found)
    return f'<div class="fault" role="alert">{words}</div>' if words else ""


def form(path: str, token: str, button: str, *fields: str) -> str:
    """A form that is sent to this path, with the ticket's token."""
    hidden = f'<input type="hidden" name="token" value="{escape(token)}">'
    body = f"{hidden}{''.join(fields)}<button>{escape(button)}</button>"
    return f'<form method="post" action="{escape(path)}">{body}</form>'


def field(label: str, name: str, value: str = "", **attributes: str) -> str:
    """A field of a form; attributes as in HTML."""
    given = {"name": name, "value": value, **attributes}
    shown = "".join(f' {escape(key)}="{escape(text)}"' for key, text in given.items() if text or key == "required")
    return f"<label>{escape(label)}<input{shown}></label>"
