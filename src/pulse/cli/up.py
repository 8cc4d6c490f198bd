"""`pulse up`: everything in one process."""

import contextlib
import json
import logging
import shlex
from pathlib import Path
from typing import Annotated

import typer

from pulse.bootstrap.demo import Demo, shown
from pulse.bootstrap.serving import serve
from pulse.bootstrap.settings import Settings
from pulse.cli.options import Data, Json
from pulse.cli.output import fail, logs_to_stderr, print_json, print_text, run
from pulse.cli.runs.application import App, settings_for
from pulse.core.errors import Misconfigured

EXAMPLE = {
    "type": "github.issues",
    "payload": {
        "action": "opened",
        "issue": {"number": 1, "title": "Crash on start", "body": "It fails"},
        "repository": {"full_name": "demo/app"},
    },
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def up(
    data: Data = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Make the example workflows at the first start.")
    ] = True,
    app: App = None,
    json_: Json = False,
) -> None:
    """Runs Pulse: receiver, consumer and API in one process. Ctrl-C or SIGTERM ends it gracefully.

    With --app it runs the engine of an application as well: messages whose type the engine has registered become its
    signals (the tenant is the organization's id), and what its handlers send becomes messages.
    """
    settings = _settings(data, host, app)
    logs_to_stderr(logging.INFO, for_good=True)

    async def announce(settings: Settings, url: str, made: Demo | None) -> None:
        # Whoever cannot be told (a full disk, a reader that is gone) finds it all in credentials.json.
        with contextlib.suppress(OSError):
            if json_:
                print_json({"url": url} if made is None else shown(made))
            else:
                _greet(settings, url, made, demo=demo)

    run(lambda: serve(settings, host, port, demo=demo, announce=announce))


def _settings(data: Path | None, host: str, app: str | None) -> Settings:
    try:
        settings = settings_for(app, data)
        if host not in LOOPBACK and settings.secret_key is None:
            raise Misconfigured(f"Listening on {host} needs PULSE_SECRET_KEY: other machines could reach Pulse.")
    except Misconfigured as error:
        fail(error)
    return settings


def _greet(settings: Settings, url: str, made: Demo | None, *, demo: bool) -> None:
    print_text(f"Pulse is ready at {url} (data in {settings.data}).")
    if settings.app is not None:
        print_text(
            f"It runs the engine of {settings.app}: look at its runs with `pulse runs list --app {settings.app}`."
        )
    if made is None:
        print_text("Make a key to send messages with: pulse keys create --organization NAME --environment NAME")
        return
    if made.sign_in_url is not None:
        print_text(f"\nTo sign in as its administrator, open this link, which works once:\n\n{made.sign_in_url}")
    example = json.dumps(EXAMPLE if demo else {"type": "hello", "payload": {"name": "Ada"}})
    print_text("\nSend a message (paste this as it is):\n")
    lines = (
        f"curl -sS '{url}/v1/messages?wait=10' \\",
        f"  -H 'Authorization: Bearer {made.api_key}' \\",
        "  -H 'Content-Type: application/json' \\",
        f"  -d '{example}'",
    )
    print_text("\n".join(lines))
    where = "" if settings.data == Path(".pulse") else f" --data {shlex.quote(str(settings.data))}"
    print_text(f"\nThen look at it, in another terminal:\n\npulse messages list{where}")
    print_text(f"\nThe key is also in {settings.data / 'credentials.json'}. Ctrl-C ends Pulse.\n")
