"""`pulse credentials`: a secret comes at a prompt, on standard input or in a file, and never as an argument."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.running import PULSE, environment

CANARY = "sk-canary-of-a-secret"
ACCOUNT = json.dumps({"client_email": "pulse@acme.iam.gserviceaccount.com", "private_key": CANARY})


def rows(run: Run, folder: Path, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("credentials", "list", *more, "--data", folder, "--json").json["data"]
    return found


def test_create_list_show_validate_delete(run: Run, folder: Path) -> None:
    assert run("credentials", "list", "--data", folder).out == "None yet.\n"
    made = run("credentials", "create", "Mock", "--provider", "mock", "--data", folder)
    assert (made.code, made.out.split()[1:], made.err) == (0, ["Mock"], "")
    row = rows(run, folder)[0]
    assert row.items() >= {"name": "Mock", "scope": "organization", "authType": "none"}.items()
    assert row["organization"]["name"] == "Acme"
    table = run("credentials", "list", "--data", folder).out
    assert "validationError" in table
    assert row["id"] in table
    for wanted in (row["id"], "Mock"):
        assert run("credentials", "show", wanted, "--data", folder, "--json").json == row
    assert "nothing secret" in run("credentials", "show", "Mock", "--data", folder).out
    assert run("credentials", "validate", "Mock", "--data", folder).out == "Mock is good\n"
    tried = run("credentials", "validate", "Mock", "--data", folder, "--json").json
    assert (tried["valid"], tried["validationError"]) == (True, None)
    gone = run("credentials", "delete", "Mock", "--data", folder, "--json").json
    assert gone == {"id": row["id"], "name": "Mock", "deleted": True}
    for command in ("show", "validate", "delete"):
        assert "no credential 'Mock'" in run("credentials", command, "Mock", "--data", folder).sentence


@pytest.mark.parametrize("words", [(), ("--api-key", "-")], ids=["piped", "dash"])
@pytest.mark.parametrize("text", [CANARY, f"{CANARY}\n", f"\ufeff{CANARY}\r\n"], ids=["bare", "line", "from Windows"])
def test_a_key_is_read_and_never_shown(run: Run, folder: Path, words: tuple[str, ...], text: str) -> None:
    where = ("--data", str(folder))
    made = run("credentials", "create", "OpenAI", "--provider", "openai", *words, *where, "--json", stdin=text.encode())
    assert made.json.items() >= {"hasApiKey": True, "authType": "api_key"}.items()
    told = [made, run("credentials", "show", "OpenAI", *where), run("credentials", "list", *where)]
    assert "API key" in told[1].out
    assert all(CANARY not in each.out + each.err for each in told)


def test_a_key_as_an_argument_is_refused(run: Run, folder: Path) -> None:
    told = run("credentials", "create", "OpenAI", "--provider", "openai", "--api-key", CANARY, "--data", folder)
    assert told.code == 2
    assert "Others on this machine" in told.err
    assert CANARY not in told.out + told.err
    assert rows(run, folder) == []


def test_every_kind_of_access(run: Run, folder: Path, tmp_path: Path) -> None:
    account = tmp_path / "account.json"
    account.write_text(ACCOUNT)
    kinds: list[tuple[tuple[str, ...], str, str]] = [
        (("--provider", "anthropic"), CANARY, "hasApiKey"),
        (("--provider", "bedrock", "--access-key-id", "AKIA", "--region", "us-east-2"), CANARY, "hasAccessKeys"),
        (
            ("--provider", "google", "--auth-type", "service_account", "--service-account", str(account)),
            "",
            "hasServiceAccount",
        ),
        (
            ("--provider", "openai", "--auth-type", "custom_headers", "--header", "x-a", "--header", "x-b"),
            f"{CANARY}\n{CANARY}\n",
            "hasCustomHeaders",
        ),
    ]
    for number, (words, stdin, flag) in enumerate(kinds):
        made = run("credentials", "create", f"Kind {number}", *words, "--data", folder, "--json", stdin=stdin)
        assert made.code == 0, made.err
        assert [name for name in made.json if name.startswith("has") and made.json[name]] == [flag]
        assert CANARY not in made.out + made.err
    both = ("--provider", "openai", "--header", "x-team", "--requests-per-minute", "60")
    made = run("credentials", "create", "Both", *both, "--data", folder, "--json", stdin=f"{CANARY}\nblue\n")
    assert made.json.items() >= {"hasApiKey": True, "hasCustomHeaders": True, "requestsPerMinute": 60}.items()


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("--provider", "nobody"), "", "no provider 'nobody'"),
        (("--provider", "openai"), "", "one line each for: API key"),
        (("--provider", "openai"), f"{CANARY}\n{CANARY}", "one line each for: API key"),
        (("--provider", "openai", "--header", "x-a"), CANARY, "one line each for: API key, Value of x-a"),
        (("--provider", "openai"), b"\xff", "UTF-8"),
        (("--provider", "openai"), f"{CANARY}é", "apiKey"),
        (("--provider", "bedrock"), "", "awsRegion"),
        (("--provider", "google", "--auth-type", "service_account"), "", "serviceAccountJson"),
        (("--provider", "google", "--service-account", "/nowhere"), CANARY, "/nowhere"),
        (("--provider", "openai", "--base-url", "nowhere"), CANARY, "baseUrl"),
        (("--provider", "openai", "--auth-type", "magic"), CANARY, "authType"),
    ],
    ids=range(11),
)
def test_what_cannot_be_is_said_without_the_secret(
    run: Run, folder: Path, words: tuple[str, ...], stdin: str | bytes, said: str
) -> None:
    sentence = run("credentials", "create", "X", *words, "--data", folder, stdin=stdin).sentence
    assert said in sentence
    assert CANARY not in sentence
    assert rows(run, folder) == []


def test_new_secrets(run: Run, folder: Path) -> None:
    """The mock model says by a header whether it takes the credential."""
    words = ("--provider", "mock", "--auth-type", "custom_headers", "--header", "x-mock-fail", "--tokens-per-day", "9")
    made = run("credentials", "create", "Bad", *words, "--data", folder, "--json", stdin="unauthorized").json
    assert run("credentials", "validate", "Bad", "--data", folder).code == 1
    told = run("credentials", "rotate", "Bad", "--header", "x-mock-wait-ms", "--data", folder, stdin="0")
    assert (told.code, told.out) == (0, "Bad has new secrets\n")
    row = rows(run, folder)[0]
    changing = ("revision", "updatedAt")
    assert {**row, **{name: made[name] for name in changing}} == made
    assert run("credentials", "validate", "Bad", "--data", folder).code == 0
    refused = run("credentials", "rotate", "Bad", "--api-key", CANARY, "--data", folder)
    assert (refused.code, CANARY in refused.err) == (2, False)
    assert "No new secret" in run("credentials", "rotate", "Bad", "--data", folder).sentence
    assert "no credential 'None'" in run("credentials", "rotate", "None", "--data", folder).sentence


def test_without_new_secrets_nothing_changes(run: Run, folder: Path) -> None:
    run("credentials", "create", "OpenAI", "--provider", "openai", "--data", folder, stdin=CANARY)
    assert "API key" in run("credentials", "rotate", "OpenAI", "--data", folder).sentence
    assert rows(run, folder)[0]["revision"] == 1
    assert run("credentials", "rotate", "OpenAI", "--data", folder, stdin=CANARY[::-1]).code == 0
    assert rows(run, folder)[0]["revision"] == 2


def test_one_that_is_not_taken_ends_with_1(run: Run, folder: Path) -> None:
    words = ("--provider", "mock", "--auth-type", "custom_headers", "--header", "x-mock-fail")
    run("credentials", "create", "Bad", *words, "--data", folder, stdin="unauthorized")
    assert "Bad: " in run("credentials", "validate", "Bad", "--data", folder).sentence
    tried = run("credentials", "validate", "Bad", "--data", folder, "--json")
    assert (tried.code, tried.json["valid"]) == (1, False)
    assert tried.json["validationError"]


def test_the_installations_are_for_all(run: Run, folder: Path) -> None:
    made = run("credentials", "create", "Shared", "--provider", "mock", "--system", "--data", folder, "--json").json
    assert (made["scope"], made["organizationId"]) == ("system", None)
    own = run("credentials", "create", "Shared", "--provider", "mock", "--data", folder, "--json").json
    assert [row["id"] for row in rows(run, folder)] == [made["id"], own["id"]]
    assert [row["id"] for row in rows(run, folder, "--system")] == [made["id"]]
    # An organization's own goes before the installation's of the same name.
    assert run("credentials", "delete", "Shared", "--data", folder, "--json").json["id"] == own["id"]
    assert run("credentials", "validate", "Shared", "--system", "--data", folder).code == 0
    both = run("credentials", "list", "--system", "--organization", "Acme", "--data", folder)
    assert (both.code, "not both" in both.err) == (2, True)


def test_each_organization_has_its_own(run: Run, folder: Path) -> None:
    run("organizations", "create", "Globex", "--data", folder)
    create = ("credentials", "create", "Mock", "--provider", "mock", "--data", str(folder))
    assert "--organization" in run(*create).sentence
    assert run(*create, "--organization", "Globex").code == 0
    assert len(rows(run, folder, "--organization", "Globex")) == 1
    assert rows(run, folder, "--organization", "Acme") == []
    assert "no organization 'Nobody'" in run(*create, "--organization", "Nobody").sentence


def test_on_a_terminal_it_is_asked_for_and_not_shown(run: Run, folder: Path) -> None:
    terminal, side = pty.openpty()
    command = [str(PULSE), "credentials", "create", "OpenAI", "--provider", "openai", "--data", str(folder)]
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, start_new_session=True, env=environment())
    os.close(side)
    told = b""
    try:
        # The space comes when the terminal has stopped to show what is typed.
        while not told.endswith(b": "):
            told += os.read(terminal, 1_000)
        os.write(terminal, f"{CANARY}\n".encode())
        assert process.wait(timeout=30) == 0
        told += os.read(terminal, 10_000)
    finally:
        process.kill()
        process.wait(timeout=10)
        os.close(terminal)
    assert b"API key: " in told
    assert b"OpenAI" in told
    assert CANARY.encode() not in told
    assert rows(run, folder)[0]["hasApiKey"] is True
