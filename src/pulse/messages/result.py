"""The result object (platform.md 2.7), and the body that it is kept as until it is archived.

A body is `{log, errors, reasons, kept, globals, tooLarge, result?}`. `kept` names the message's fields that no script
changed: their values are stored with the message, once. `document` puts the documented object together, without reading
the values themselves: numbers and text stay as they were written.
"""

from typing import Any

import msgspec

from pulse.core.clock import iso
from pulse.messages.records import MessageRow, StoredMessage, shown_status

Parts = dict[str, msgspec.Raw]
_parts = msgspec.json.Decoder(Parts)
_names = msgspec.json.Decoder(list[str])
_encode = msgspec.json.Encoder().encode


def empty_body(errors: list[dict[str, Any]] | None = None, reasons: list[dict[str, Any]] | None = None) -> bytes:
    """The body of a message that no script has seen."""
    nothing: dict[str, Any] = {"kept": [], "globals": {}, "tooLarge": []}
    return _encode({"log": [], "errors": errors or [], "reasons": reasons or [], **nothing})


def untouched_body(payload: bytes) -> bytes:
    """The body of a message that nobody evaluates: its fields stay in the context, and nothing else."""
    nothing: dict[str, Any] = {"log": [], "errors": [], "reasons": [], "globals": {}, "tooLarge": []}
    return _encode({**nothing, "kept": list(_parts.decode(payload))})


def document(stored: StoredMessage, family: dict[str, Any] | None = None) -> bytes:
    """A message as `GET /api/messages/{id}` shows it and as a line of the archive keeps it, as JSON.

    `family` says where it came from, if another message has sent it.
    """
    if stored.archived is not None:
        return _encode({**_parts.decode(stored.archived), **family}) if family else stored.archived
    shown: dict[str, Any] = {**summary(stored.row), **(family or {}), "message": msgspec.Raw(stored.payload)}
    if stored.body is not None:
        shown.update(outcome_parts(stored.row.status, stored.row.code, stored.payload, stored.body))
    return _encode(shown)


def outcome_parts(status: str, code: str | None, payload: bytes, body: bytes) -> dict[str, Any]:
    """`{reason?, result?, context}`: what is shown of an outcome besides its index row."""
    parts = _parts.decode(body)
    shown: dict[str, Any] = {}
    # Without a code it is a Result entity that said so.
    if status == "ignore" and code is not None:
        shown["reason"] = _reason(code, parts)
    if "result" in parts:
        shown["result"] = parts["result"]
    return {**shown, "context": _context(_parts.decode(payload), parts)}


def visits(body: bytes) -> msgspec.Raw:
    """What each node of a test run has changed, as JSON."""
    return _parts.decode(body).get("visits", msgspec.Raw(b"[]"))


def payload_of(line: bytes) -> bytes:
    """The message in a line of the archive, as it was stored."""
    return bytes(_parts.decode(line)["message"])


def summary(row: MessageRow) -> dict[str, Any]:
    """A message as a line of the list: nothing that has no value is in it."""
    line = {
        "id": row.id,
        "organizationId": row.organization_id,
        "environmentId": row.environment_id,
        "type": row.type,
        "status": shown_status(row.status),
        "receivedAt": iso(row.received_at),
        "completedAt": iso(row.completed_at) if row.completed_at is not None else None,
        "elapsedMs": row.elapsed_ms,
        "workflowId": row.workflow_id,
        "workflowName": row.workflow_name,
        "workflowVersion": row.workflow_version,
        "error": row.error,
        "code": row.code,
        "partitionKey": row.lane,
        "replayOf": row.origin_id,
        "size": row.size,
    }
    return {name: value for name, value in line.items() if value is not None or name == "type"}


def _context(message: Parts, body: Parts) -> dict[str, Any]:
    errors = msgspec.json.decode(body["errors"], type=list[msgspec.Raw])
    kept = _names.decode(body["kept"])
    return {
        "____execution_log____": body["log"],
        "____execution_errors____": errors,
        "____error_count____": body.get("errorCount", len(errors)),
        **{name: message[name] for name in kept if name in message},
        **_parts.decode(body["globals"]),
    }


def _reason(code: str, body: Parts) -> dict[str, Any]:
    tried = body.get("reasons", msgspec.Raw(b"[]"))
    return {"code": code, **({"workflows": tried} if bytes(tried) != b"[]" else {})}
