"""Commands as real processes: what a shell, a service manager and a pipe see of them."""

import json
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.running import ISSUE, PULSE, Up, environment, pulse, up


def listed(run: Run, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("messages", "list", "--limit", "1000", "--data", folder, "--json").json["data"]
    return found


def test_a_signal_ends_it_in_order_and_the_next_start_goes_on(tmp_path: Path, run: Run) -> None:
    """Twice: the second start has the same key, and makes nothing again."""
    data, told, ids = tmp_path / "data", [], []
    for number in (signal.SIGTERM, signal.SIGINT):
        with up(data) as started:
            # The address is another one each time, and so is the link of an administrator who has no password yet.
            told.append({**started.told, "url": "", "signInUrl": ""})
            with started.client() as client:
                assert client.get("/api/workflows").json()["pagination"]["total"] == 5
                ids += [client.post("/v1/messages", json={"n": n}).json()["id"] for n in range(20)]
            assert (data / "run.json").exists()
            code, said, complained = started.stop(number)
        assert (code, said) == (0, "")
        assert "Traceback" not in complained
        assert not (data / "run.json").exists()
        assert not (data / "pulse.db-wal").exists()
    assert told[0] == told[1]
    assert sorted(row["id"] for row in listed(run, data)) == sorted(ids)


def test_a_bus_that_does_not_answer_keeps_nothing_from_running(tmp_path: Path) -> None:
    with up(tmp_path / "data", "--no-demo", REDIS_URL="redis://:hunter2@127.0.0.1:1") as started:
        with started.client() as client:
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["status"]) == (200, "ready")
            assert "127.0.0.1:1" in answer.json()["checks"]["bus"]
            assert "hunter2" not in answer.text
            assert client.post("/v1/messages?wait=30", json={"n": 1}).status_code == 200
        code, _, complained = started.stop()
    assert (code, "hunter2" in complained) == (0, False)


def test_without_a_demo_and_killed(tmp_path: Path, run: Run) -> None:
    """No workflows are made; what a killed process left behind is taken over by the next command."""
    with up(tmp_path / "data", "--no-demo") as started, started.client() as client:
        assert client.get("/api/workflows").json()["data"] == []
        found = client.post("/v1/messages?wait=30", json={"n": 1}).json()
        assert (found["status"], found["reason"]["code"]) == ("ignore", "no_workflows")
        started.process.kill()
        started.process.wait(20)
    assert (tmp_path / "data" / "run.json").exists()
    assert [row["id"] for row in listed(run, tmp_path / "data")] == [found["id"]]


def test_what_people_see(tmp_path: Path) -> None:
    """The first screen: an address, a command that works when it is pasted, and where to look next."""
    folder = tmp_path / "my data"
    command = [str(PULSE), "up", "--data", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stdout is not None
        screen = ""
        while "The key is also in" not in screen:
            line = process.stdout.readline()
            assert line, process.communicate(timeout=10)
            screen += line
        assert re.search(r"Pulse is ready at http://127\.0\.0\.1:\d+", screen)
        assert f"pulse messages list --data '{folder}'" in screen
        curl = screen[screen.index("curl ") : screen.index("\n\nThen look")]
        done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=True, env=environment())
        assert json.loads(done.stdout)["result"]["labels"] == ["bug"]
    finally:
        process.terminate()
        process.communicate(timeout=50)
    assert process.returncode == 0


def test_a_backup_while_it_runs_and_a_restore_elsewhere(running: Up, run: Run, tmp_path: Path) -> None:
    copy, file = tmp_path / "copy", tmp_path / "pulse.backup"
    with running.client() as client:
        before = [client.post("/v1/messages?wait=30", json={**ISSUE, "n": n}).json() for n in range(5)]
        written = run("backup", file, "--data", running.folder, "--json").json
        assert (written["file"], written["bytes"]) == (str(file), file.stat().st_size)
        after = client.post("/v1/messages?wait=30", json={"n": 99}).json()["id"]
    assert file.stat().st_mode & 0o077 == 0
    assert run("restore", file, "--data", copy, "--json").json == {"data": str(copy)}
    assert "is not empty" in run("restore", file, "--data", copy).sentence
    with up(copy) as started, started.client() as client:
        assert started.told["apiKey"] == running.told["apiKey"]
        for message in before:
            assert client.get(f"/api/messages/{message['id']}").json() == message
        assert [message["result"]["labels"] for message in before] == [["bug"]] * 5
        assert client.get(f"/api/messages/{after}").status_code == 404
        again = client.post("/v1/messages?wait=30", json=before[0]["message"]).json()
        assert again["result"] == before[0]["result"]


class Lines:
    """The ids of the JSON lines that a process prints, as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout.fileno()
        self._rest = b""

    def within(self, seconds: float) -> list[str]:
        """Those of the next piece, or none where nothing comes within this time."""
        if not select.select([self._pipe], [], [], seconds)[0]:
            return []
        piece = os.read(self._pipe, 65_536)
        assert piece, "it has ended"
        *whole, self._rest = (self._rest + piece).split(b"\n")
        return [str(json.loads(line)["id"]) for line in whole]


def test_tail_prints_what_ends_and_stops_at_ctrl_c(running: Up) -> None:
    command = [str(PULSE), "messages", "tail", "--json", "--organization", "Demo", "--data", str(running.folder)]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, env=environment())
    lines, seen, late = Lines(tail), list[str](), list[str]()
    with running.client() as client:

        def send() -> str:
            return str(client.post("/v1/messages?wait=30", json={"n": time.time()}).json()["id"])

        # Until it looks for the first time, what ends is past already: send until it has seen one.
        until = time.monotonic() + 40
        while not seen and time.monotonic() < until:
            send()
            seen += lines.within(0.3)
        late = [send() for _ in range(3)]
        while not set(late) <= set(seen) and time.monotonic() < until:
            seen += lines.within(1)
    tail.send_signal(signal.SIGINT)
    _, complained = tail.communicate(timeout=20)
    assert set(late) <= set(seen)
    assert len(seen) == len(set(seen))
    assert tail.returncode == 130, complained


def test_a_reader_that_has_had_enough() -> None:
    """`pulse … | head`: no traceback, however much is left to print."""
    command = f"'{PULSE}' scripts --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


def test_exit_codes(tmp_path: Path) -> None:
    for arguments, code in ((("messages", "list", "--data", str(tmp_path)), 1), (("nonsense",), 2)):
        told = pulse(*arguments)
        assert (told.returncode, told.stdout) == (code, "")
        assert "Traceback" not in told.stderr


def test_a_proxy_is_believed_where_it_is_named(tmp_path: Path, run: Run) -> None:
    """What it says of a request decides whether the session's cookie may leave an encrypted connection."""
    person = {"email": "op@example.com", "password": "correct horse battery"}
    create = ("users", "create", person["email"], "--role", "System", "--password-stdin", "--data", tmp_path)
    for trusted, is_secure in (("", False), ("10.0.0.0/8", False), ("192.0.2.1, 127.0.0.1", True)):
        with up(tmp_path, "--no-demo", PULSE_TRUSTED_PROXIES=trusted) as started:
            run(*create, stdin=person["password"])
            proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
            with httpx2.Client(base_url=started.url, trust_env=False, timeout=30) as client:
                answer = client.post("/api/session", json=person, headers=proxied)
            assert answer.status_code == 200
            assert ("secure" in answer.headers["set-cookie"].lower()) is is_secure
            assert started.stop()[0] == 0


def test_a_proxy_that_is_none(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_TRUSTED_PROXIES", "*")
    sentence = run("up", "--port", "0", "--data", tmp_path / "data").sentence
    assert "'*' is neither an address nor a network" in sentence
