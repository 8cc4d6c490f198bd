"""Sends deliveries to a running Pulse, signed as GitHub signs them, and compares what becomes of each with rules.py.

    python examples/github/send.py ADDRESS SECRET [FILE]

ADDRESS and SECRET are what `pulse sources create --kind github` prints; FILE has one delivery a line, `{"event",
"delivery", "payload"}` (the dozen beside this script, if left out). The outcomes are read with the API key in
`.pulse/credentials.json`, or where `--credentials` says. Exit code 1 when an outcome is not the expected one.
"""

import argparse
import hashlib
import hmac
import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from rules import expected

HERE = Path(__file__).parent
PATIENCE_S = 60
PAUSE_S = 0.05


def main() -> int:
    """Sends the file, then looks at each message; the number of the exit code."""
    wanted = arguments()
    credentials = json.loads(wanted.credentials.read_text())
    deliveries = [json.loads(line) for line in wanted.file.read_text().splitlines() if line.strip()]
    sent = [(each, deliver(wanted.address, wanted.secret, each)) for each in deliveries]
    wrong = 0
    for delivery, message_id in sent:
        found = outcome(credentials, message_id)
        right = expected(delivery["event"], delivery["payload"])
        is_right = right.fits(found["status"], found.get("result"))
        wrong += not is_right
        sys.stdout.write(
            f"{'ok   ' if is_right else 'WRONG'} {found['status']:<8} {delivery['delivery']} {message_id}\n"
        )
        if not is_right:
            sys.stdout.write(f"      expected {right.status} {right.result}, found {found.get('result')}\n")
    sys.stdout.write(f"{len(sent)} deliveries, {wrong} not as expected\n")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Sends GitHub deliveries to Pulse and compares the outcomes.")
    parser.add_argument("address")
    parser.add_argument("secret")
    parser.add_argument("file", nargs="?", type=Path, default=HERE / "deliveries.ndjson")
    parser.add_argument("--credentials", type=Path, default=Path(".pulse/credentials.json"))
    return parser.parse_args()


def deliver(address: str, secret: str, delivery: dict[str, Any]) -> str:
    """Posts one delivery; the id of its message. A delivery that was sent before gets the first one's id."""
    body = json.dumps(delivery["payload"]).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/example",
        "X-GitHub-Event": delivery["event"],
        "X-GitHub-Delivery": delivery["delivery"],
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    answer = call(urllib.request.Request(address, body, headers))  # noqa: S310 - the address is the user's own
    return str(answer["id"])


def outcome(credentials: dict[str, str], message_id: str) -> dict[str, Any]:
    """The message once it has ended. Raises TimeoutError."""
    headers = {"Authorization": f"Bearer {credentials['apiKey']}"}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        address = f"{credentials['url']}/api/messages/{message_id}"
        found = call(urllib.request.Request(address, headers=headers))  # noqa: S310 - Pulse's own address
        if found["status"] != "pending":
            return found
        time.sleep(PAUSE_S)
    raise TimeoutError(f"{message_id} is still pending after {PATIENCE_S} seconds.")


def call(request: urllib.request.Request) -> dict[str, Any]:
    """The answer's JSON, whatever proxy the environment names: Pulse is on this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


if __name__ == "__main__":
    sys.exit(main())
