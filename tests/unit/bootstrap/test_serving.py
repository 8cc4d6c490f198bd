"""Where a running Pulse is found, and where it says that it is."""

import json
import socket
from pathlib import Path

import pytest

from pulse.bootstrap.platform import OpenData
from pulse.bootstrap.running import Running, find_running
from pulse.bootstrap.serving import _listen, url_of
from pulse.bootstrap.settings import load_settings
from pulse.bootstrap.wiring import master_keys, write_private
from pulse.core.errors import AlreadyRunning, Misconfigured, StorageReadOnly
from pulse.storage.lockfile import FolderLock


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "http://localhost:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("2001:db8::1", "http://[2001:db8::1]:80"),
        ("pulse.example", "http://pulse.example:80"),
    ],
)
def test_the_address_that_is_told(host: str, url: str) -> None:
    assert url_of(host, 80) == url


def test_a_free_port_is_taken() -> None:
    first = _listen("127.0.0.1", 0)
    with first, pytest.raises(Misconfigured, match=r"cannot be used: .*--port"):
        _listen("127.0.0.1", first.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "1.2.3.4.5"])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be used"):
        _listen(host, 0)


def test_ipv6_where_there_is_any() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here ({error})")
    with _listen("::1", 0) as listener:
        assert listener.family == socket.AF_INET6


def test_what_runs_is_found_while_it_holds_its_folder(tmp_path: Path) -> None:
    word = {"url": "http://127.0.0.1:1", "token": "t", "pid": 7}
    (tmp_path / "run.json").write_text(json.dumps(word))
    lock = FolderLock(tmp_path)
    assert find_running(tmp_path) == Running("http://127.0.0.1:1", "t", 7)
    lock.release()
    assert find_running(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "{}", '"x"', "\x00"])
def test_a_word_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    lock = FolderLock(tmp_path)
    assert find_running(tmp_path) is None
    lock.release()


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    assert find_running(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_folder_is_held_once_and_let_go_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        OpenData(load_settings(tmp_path, PULSE_SECRET_KEY="bad"))
    lock = FolderLock(tmp_path)
    with pytest.raises(AlreadyRunning, match=str(tmp_path)):
        OpenData(load_settings(tmp_path))
    lock.release()


def test_master_keys(tmp_path: Path) -> None:
    made = master_keys(load_settings(tmp_path))
    assert made == master_keys(load_settings(tmp_path)) == [(tmp_path / "secret.key").read_text()]
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
    assert master_keys(load_settings(tmp_path, PULSE_SECRET_KEY="new, old ,")) == ["new", "old"]
    with pytest.raises(Misconfigured, match="openssl rand"):
        master_keys(load_settings(tmp_path, PULSE_DATABASE_URL="postgresql://db/pulse"))


def test_a_private_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_private(tmp_path / "new" / "file.json", "text")
    assert (tmp_path / "new" / "file.json").read_text() == "text"
    assert (tmp_path / "new" / "file.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageReadOnly, match="cannot be written"):
        write_private(tmp_path / "file" / "below.json", "text")
