"""`pulse send`: messages from a file or from standard input."""

import codecs
import json
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pulse.cli.options import At, MessageOptions, taking
from pulse.cli.output import Answer, counted, errors, print_text, run, say
from pulse.core.errors import InvalidJson, NotFound, PulseError
from pulse.core.json import one_line, parse
from pulse.receiver.receiver import elements

BATCH = 500
BATCH_BYTES = 4 << 20
WAIT_S = 30
FORMS = "A file is JSON (one message, or an array), or NDJSON with one message a line."


@taking(MessageOptions)
def send(
    options: MessageOptions,
    file: Annotated[
        str, typer.Argument(help="A file of JSON (one message, or an array) or NDJSON; - for standard input.")
    ],
    type_: Annotated[str | None, typer.Option("--type", help="Type of the messages that have none.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Partition key: these messages are evaluated in order.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the results and print them.")] = False,
) -> None:
    """Sends messages, with a progress bar when there are many."""

    async def work() -> Answer:
        messages = [_item(message, type_, key) for message in read_messages(file)]
        async with options.open(sends=True) as at:
            answers = await _send_all(at, messages)
            if wait and at.pulse.is_running:
                answers = [await _result(at, answer) for answer in answers]
            elif not at.pulse.is_running:
                say("Pulse is not running on this folder: the messages wait until the next `pulse up`.")
        refused = [answer for answer in answers if answer["status"] == "refused"]
        return Answer(answers, partial(_print, answers, refused), is_failure=bool(refused))

    run(work, as_json=options.json)


def read_messages(file: str) -> list[bytes]:
    """The messages of a file, each as it stands there. Raises NotFound; InvalidJson with the file and the line."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from None
    text = raw.removeprefix(codecs.BOM_UTF8).strip()
    if not text.startswith(b"[") and _fault(text.partition(b"\n")[0]) is None:
        return list(_lines(text, file))
    try:
        if text.startswith(b"["):
            return elements(text)
        parse(text, max_depth=len(text), max_keys=len(text))
    except InvalidJson as error:
        raise InvalidJson(f"{file}: {error.message} {FORMS}") from None
    return [text]


def _lines(text: bytes, file: str) -> Iterator[bytes]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            fault = _fault(line)
            if fault is not None:
                raise InvalidJson(f"{file}, line {number}: {fault}. {FORMS} Nothing was sent.")
            yield line


def _fault(text: bytes) -> str | None:
    """Why it is no JSON at all, or None; what else is wrong with a message, Pulse says of each by itself."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} at column {error.colno}" if text else None
    except (ValueError, RecursionError) as error:
        return str(error)
    return None


def _item(message: bytes, type_: str | None, key: str | None) -> bytes:
    """The message as a line of a batch: with a type where it has none, and with its partition key around it."""
    line, value = one_line(message), json.loads(message)
    if not isinstance(value, dict):
        return line
    if type_ and "type" not in value:
        line = b'{"type":' + json.dumps(type_).encode() + (b"," if value else b"") + line.lstrip()[1:]
    return b'{"partitionKey":' + json.dumps(key).encode() + b',"message":' + line + b"}" if key else line


async def _send_all(at: At, messages: list[bytes]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=len(messages) < BATCH) as progress:
        task = progress.add_task("send", total=len(messages))
        for batch in _batches(messages):
            try:
                response = await at.pulse.send(
                    "POST",
                    "/v1/messages/batch",
                    params=at.place,
                    content=b"\n".join(batch),
                    headers={"Content-Type": "application/x-ndjson"},
                )
            except PulseError:
                if answers:
                    say(f"{len(answers)} of {len(messages)} messages were sent before this went wrong:")
                raise
            answers.extend(response.json())
            progress.advance(task, len(batch))
    return answers


def _batches(messages: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in messages:
        if batch and (len(batch) == BATCH or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


async def _result(at: At, answer: dict[str, Any]) -> dict[str, Any]:
    return await at.get(f"/api/messages/{answer['id']}", wait=WAIT_S) if answer["status"] == "accepted" else answer


def _print(answers: list[dict[str, Any]], refused: list[dict[str, Any]]) -> None:
    if len(answers) == 1 and not refused:
        return print_text(f"{answers[0]['id']} {answers[0]['status']}")
    print_text(f"{counted(len(answers) - len(refused), 'message')} sent, {len(refused)} refused.")
    for answer in refused[:10]:
        say(f"  {answer['problem']['detail']}")
