"""`pulse send`: what stands in a file is what is sent, or none of it, with the place of the fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Run, Told


def send(run: Run, folder: Path, text: str | bytes, *arguments: str) -> Told:
    raw = text if isinstance(text, bytes) else text.encode()
    return run("send", "-", *arguments, "--data", folder, "--json", stdin=raw)


def messages(run: Run, folder: Path, told: Told) -> list[Any]:
    """What was stored of what was accepted, without the ids that were filled in."""
    shown = [run("messages", "show", answer["id"], "--data", folder, "--json").json for answer in told.json]
    return [{n: v for n, v in one["message"].items() if n not in ("organizationId", "environmentId")} for one in shown]


FORMS = {
    "one object": ('{"n": 1}', [{"n": 1}]),
    "one object over several lines": ('{\n  "n": 1,\n  "t": "a\\nb"\n}\n', [{"n": 1, "t": "a\nb"}]),
    "an array": ('[{"n": 1}, {"n": 2}]', [{"n": 1}, {"n": 2}]),
    "an array over several lines": ('[\n {"n": 1},\n {"n": 2}\n]', [{"n": 1}, {"n": 2}]),
    "lines": ('{"n": 1}\n\n{"n": 2}\r\n{"n": 3}', [{"n": 1}, {"n": 2}, {"n": 3}]),
    "with a BOM": ('\ufeff{"n": 1}\n{"n": 2}\n', [{"n": 1}, {"n": 2}]),
    "nothing": ("", []),
    "an empty array": ("[]", []),
}


@pytest.mark.parametrize(("text", "stored"), FORMS.values(), ids=FORMS)
def test_forms_of_a_file(run: Run, folder: Path, text: str, stored: list[Any]) -> None:
    told = send(run, folder, text)
    assert told.code == 0
    assert "wait until the next" in told.err
    assert messages(run, folder, told) == stored


def test_a_file(run: Run, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_text('{"type": "order"}')
    told = run("send", file, "--data", folder)
    assert (told.code, told.out.split()[1]) == (0, "accepted")
    file.write_text('[{"type": "order"}, {}]')
    assert run("send", file, "--data", folder).out == "2 messages sent, 0 refused.\n"


def test_numbers_and_order_stay_as_they_are_written(run: Run, folder: Path) -> None:
    raw = '{"z": 1.0, "a": 1E5, "big": 12345678901234567890123, "t": "\\u00e9\\/", "s": 1.10}'
    told = send(run, folder, f"[{raw}]")
    listed = run("messages", "show", told.json[0]["id"], "--data", folder, "--json").out
    for literal in ("1.0", "100000.0", "12345678901234567890123"):
        assert literal in listed
    backup = folder.parent / "b.gz"
    assert run("backup", backup, "--data", folder).code == 0
    assert raw[1:].encode() in _database_of(backup)


def _database_of(backup: Path) -> bytes:
    import tarfile

    with tarfile.open(backup) as tar:
        file = tar.extractfile("pulse.db")
        assert file is not None
        return file.read()


def test_a_type_and_a_key(run: Run, folder: Path) -> None:
    told = send(run, folder, '{"n": 1}\n{"type": "own", "n": 2}\n{}', "--type", "given", "--key", "lane 1")
    assert [message["type"] for message in messages(run, folder, told)] == ["given", "own", "given"]
    shown = run("messages", "show", told.json[0]["id"], "--data", folder, "--json").json
    assert shown["partitionKey"] == "lane 1"


@pytest.mark.parametrize("arguments", [(), ("--key", "lane"), ("--type", "t")])
def test_each_message_is_refused_by_itself(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    text = b"\n".join(
        [
            b'{"n": 1}',
            b"[1]",
            b"3",
            b'{"a": 1, "a": 2}',
            b'{"a": NaN}',
            b'{"a": "\\ud800"}',
            b'{"a": "\\u0000"}',
            b'{"n": 2}',
        ]
    )
    told = send(run, folder, text, *arguments)
    assert told.code == 1
    codes = [answer.get("problem", {}).get("code", answer["status"]) for answer in told.json]
    wrong = ["invalid_message", "invalid_message", *["invalid_json"] * 4]
    assert codes == ["accepted", *wrong, "accepted"]
    assert run("messages", "list", "--data", folder, "--json").json["pagination"]["total"] == 2


def test_refusals_are_told_to_people(run: Run, folder: Path) -> None:
    told = run("send", "-", "--data", folder, stdin='{"[/red]\\u001b[31m": 1, "[/red]\\u001b[31m": 2}\n{}\n')
    assert (told.code, told.out) == (1, "1 message sent, 1 refused.\n")
    assert "[/red]" in told.err
    assert "\x1b" not in told.err


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b'{"n": 1}\n{"n": \n{"n": 3}\n', "-, line 2: Expecting value at column 7"),
        (b'{"n": 1}\nnonsense\n', "-, line 2"),
        (b'{\n "n": 1,\n}\n', "line 3, column 1"),
        (b'[{"n": 1},\n {"n": 2},]', "line 2, column 11"),
        (b"nonsense", "line 1, column 1"),
        (b"\xff\xfe{\x00", "byte 0"),
        (b'{"a": "\xe9"}', "byte 7"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 50_000, "nested"),
        (b'{"n": 1}\n' + b"[" * 100_000, "line 2"),
        (b'{"n": ' + b"1" * 5_000 + b"}", "too many digits"),
    ],
)
def test_a_file_with_a_fault_sends_nothing(run: Run, folder: Path, text: bytes, where: str) -> None:
    told = run("send", "-", "--data", folder, "--json", stdin=text)
    assert where in told.sentence
    assert run("messages", "list", "--data", folder, "--json").json["pagination"]["total"] == 0


def test_a_file_that_is_not_there(run: Run, folder: Path, tmp_path: Path) -> None:
    assert "No such file" in run("send", tmp_path / "none.json", "--data", folder).sentence
    assert "Is a directory" in run("send", tmp_path, "--data", folder).sentence


def test_many_go_in_parts(run: Run, folder: Path) -> None:
    told = send(run, folder, "\n".join(json.dumps({"n": n}) for n in range(1_203)))
    assert (told.code, len(told.json)) == (0, 1_203)
    assert {answer["status"] for answer in told.json} == {"accepted"}
    total = run("messages", "list", "--limit", "1", "--data", folder, "--json").json["pagination"]["total"]
    assert total == 1_203


def test_one_that_is_too_large_does_not_stop_the_others(run: Run, folder: Path) -> None:
    told = send(run, folder, json.dumps([{"n": 1}, {"a": "x" * (2 << 20)}, {"n": 2}]))
    codes = [answer.get("problem", {}).get("code", answer["status"]) for answer in told.json]
    assert (told.code, codes) == (1, ["accepted", "too_large", "accepted"])


def test_what_was_sent_before_a_failure_is_told(run: Run, folder: Path) -> None:
    lines = [json.dumps({"n": n}) for n in range(600)]
    told = run("send", "-", "--data", folder, stdin="\n".join([*lines, json.dumps({"a": "x" * (9 << 20)})]))
    assert told.code == 1
    assert "600 of 601 messages were sent" in told.err
    assert "8388608" in told.err
