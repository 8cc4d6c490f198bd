"""One message as `pulse messages show` prints it, for people."""

import json
from collections.abc import Mapping
from typing import Any

from pulse.cli.output import print_json, print_text

HEAD = (
    "id",
    "status",
    "type",
    "workflowName",
    "workflowVersion",
    "receivedAt",
    "elapsedMs",
    "replayOf",
    "parentId",
    "rootId",
)
NOBODY = {
    "no_workflows": "There is no workflow in this environment.",
    "inactive": "Every workflow of this environment is switched off.",
    "over_limit": "The organization was over its limit.",
    "too_many_held": "The organization was over its limit, and as many messages were held as may be.",
    "no_match": "No workflow took it.",
}
TRIED = {
    "no_event": "its first node is no event, so it takes no messages",
    "empty": "it is empty",
    "inactive": "it is switched off",
    "unknown_workflow": "there is no such workflow in this environment",
    "unknown_version": "this version is not there",
    "unknown_entity": "no node of it has the entity that was asked for",
}


def show(found: dict[str, Any]) -> None:
    """Prints the message: its result, why it was ignored, its errors and its log."""
    for name in HEAD:
        if found.get(name) is not None:
            print_text(f"{name:16}{found[name]}")
    for sentence in why(found):
        print_text(f"{'why':16}{sentence}")
    context = found.get("context", {})
    for error in context.get("____execution_errors____", []):
        print_text(f"{'error':16}{_error_line(error)}")
    if "result" in found:
        print_text("result")
        print_json(found["result"])
    for entry in context.get("____execution_log____", []):
        print_text(log_line(entry))


def why(found: Mapping[str, Any]) -> list[str]:
    """Why a message was ignored: a sentence for each workflow that was tried."""
    reason = found.get("reason")
    if reason is None:
        return []
    tried = [_tried(entry) for entry in reason.get("workflows", [])]
    return tried or [NOBODY.get(reason["code"], reason["code"])]


def _tried(entry: dict[str, Any]) -> str:
    rule, workflow = entry.get("rule"), entry["name"]
    if rule is not None:
        seen = short_json(entry["seen"]) if "seen" in entry else "missing"
        wanted = f"{rule['comparison']} {short_json(rule['value'])}" if "value" in rule else rule["comparison"]
        return f'Event "{entry.get("entity", "")}": {rule["field"]} = {seen}, wanted {wanted} (workflow "{workflow}")'
    if "code" in entry:
        return f'Workflow "{workflow}": {TRIED.get(entry["code"]) or entry.get("detail") or entry["code"]}'
    return f'Event "{entry.get("entity", "")}": its condition was false (workflow "{workflow}")'


def short_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"


def _error_line(error: dict[str, Any]) -> str:
    where = f" ({error.get('entityName')}, line {error['line']})" if "line" in error else ""
    return f"{error.get('errorType')}: {error.get('error')}{where}\n{'':16}{error.get('suggestion', '')}"


def log_line(entry: dict[str, Any]) -> str:
    known = {"ts", "elapsed", "type", "action", "entityId", "entityName", "entityType"}
    rest = " ".join(f"{name}={short_json(value)}" for name, value in entry.items() if name not in known)
    what = f"{entry['type']:9} {entry.get('action', ''):18} {entry.get('entityName', '')}"
    return f"{entry.get('elapsed', ''):>6} ms  {what}  {rest}"
