"""`pulse send`: messages from a file or from standard input."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pulse.cli.output import FAILED, console, errors, print_json, run, say
from pulse.cli.session import Data, Environment, Json, Organization, Session, session
from pulse.core.errors import InvalidJson, NotFound

BATCH = 500
BATCH_BYTES = 4 << 20
WAIT_S = 30


def send(
    file: Annotated[
        str, typer.Argument(help="A file of JSON (one message, or an array) or NDJSON; - for standard input.")
    ],
    type_: Annotated[str | None, typer.Option("--type", help="Type of the messages that have none.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Partition key: these messages are evaluated in order.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the results and print them.")] = False,
    data: Data = None,
    organization: Organization = None,
    environment: Environment = None,
    json_: Json = False,
) -> None:
    """Sends messages, with a progress bar when there are many."""

    async def work() -> None:
        messages = [_typed(message, type_) for message in read_messages(file)]
        async with session(data) as pulse:
            place = await pulse.place(organization, environment)
            answers = await _send_all(pulse, place, messages, key)
            if wait and pulse.is_running:
                answers = [await _result(pulse, place, answer) for answer in answers]
            elif not pulse.is_running:
                say("Pulse is not running on this folder: the messages wait until the next `pulse up`.")
        _report(answers, json_)

    run(work)


def read_messages(file: str) -> list[Any]:
    """The messages of a file. Raises NotFound, InvalidJson with the line."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{file} cannot be read: {error}.") from None
    try:
        value = json.loads(text)
    except ValueError:
        return list(_lines(text, file))
    return value if isinstance(value, list) else [value]


def _lines(text: str, file: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InvalidJson(
                    f"{file}, line {number}: {error}. A file is JSON, or NDJSON with one message a line."
                ) from None


def _typed(message: Any, type_: str | None) -> Any:
    return {"type": type_, **message} if type_ and isinstance(message, dict) else message


async def _send_all(
    pulse: Session, place: dict[str, str], messages: list[Any], key: str | None
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=len(messages) < BATCH) as progress:
        task = progress.add_task("send", total=len(messages))
        for batch in _batches(messages, key):
            response = await pulse.send(
                "POST",
                "/v1/messages/batch",
                params=place,
                content=b"\n".join(batch),
                headers={"Content-Type": "application/x-ndjson"},
            )
            answers.extend(response.json())
            progress.advance(task, len(batch))
    return answers


def _batches(messages: Iterable[Any], key: str | None) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for message in messages:
        item = {"partitionKey": key, "message": message} if key else message
        line = json.dumps(item, ensure_ascii=False).encode()
        if batch and (len(batch) == BATCH or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


async def _result(pulse: Session, place: dict[str, str], answer: dict[str, Any]) -> dict[str, Any]:
    if answer["status"] != "accepted":
        return answer
    found: dict[str, Any] = await pulse.call("GET", f"/api/messages/{answer['id']}", wait=WAIT_S, **place)
    return found


def _report(answers: list[dict[str, Any]], json_: bool) -> None:
    refused = [answer for answer in answers if answer["status"] == "refused"]
    if json_:
        print_json(answers)
    elif len(answers) == 1 and not refused:
        console.print(f"{answers[0]['id']} {answers[0]['status']}", markup=False)
    else:
        console.print(f"{len(answers) - len(refused)} messages sent, {len(refused)} refused.")
        for answer in refused[:10]:
            say(f"  {answer['problem']['detail']}")
    if refused:
        raise typer.Exit(FAILED)
