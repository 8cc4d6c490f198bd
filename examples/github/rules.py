"""What the demo's workflows are to make of GitHub's deliveries, written down a second time, in plain Python.

`expected` is compared with what Pulse says, delivery by delivery; it knows nothing of workflows or conditions.
"""

import re
from dataclasses import dataclass
from typing import Any

LABELS = {
    "bug": r"\b(bug|crash|error|broken|fails?|regression)\b",
    "documentation": r"\b(docs?|documentation|readme|typo|spelling)\b",
    "enhancement": r"\b(feature|enhancement|support for|would be nice|please add)\b",
    "security": r"\b(security|vulnerability|cve-\d+|xss|injection)\b",
}
FAILED = ("failure", "timed_out", "cancelled")
LARGE = 500


@dataclass(frozen=True)
class Expected:
    """The status of a message, and where it is a success, its result: all but the names that nobody can foresee."""

    status: str
    result: dict[str, Any] | None = None
    unforeseen: tuple[str, ...] = ()

    def fits(self, status: str, result: dict[str, Any] | None) -> bool:
        """Whether this is what became of it."""
        if result is not None:
            result = {name: value for name, value in result.items() if name not in self.unforeseen}
        return (status, result) == (self.status, self.result)


IGNORED = Expected("ignore")


def expected(event: str, payload: dict[str, Any]) -> Expected:
    """What must become of a delivery of this event."""
    rule = RULES.get(event)
    return rule(payload) if rule else IGNORED


def issues(payload: dict[str, Any]) -> Expected:
    """Labels for issues that are new or were changed."""
    if payload.get("action") not in ("opened", "edited", "reopened"):
        return IGNORED
    issue = payload["issue"]
    words = f"{issue['title'] or ''} {issue['body'] or ''}".lower()
    labels = [label for label, pattern in LABELS.items() if re.search(pattern, words, re.ASCII)] or ["triage"]
    return Expected("success", {**repository(payload), "issue": issue["number"], "labels": labels})


def pull_request(payload: dict[str, Any]) -> Expected:
    """Two reviews for large pull requests, one for others, none for drafts."""
    actions = ("opened", "reopened", "synchronize", "ready_for_review")
    change = payload["pull_request"]
    if payload.get("action") not in actions or change.get("draft") is True:
        return IGNORED
    lines = change.get("additions", 0) + change.get("deletions", 0)
    result = {"pullRequest": payload["number"], "changedLines": lines, "reviews": 1}
    if lines > LARGE:
        result |= {"reviews": 2, "comment": "This is a large change: two reviews, please."}
    return Expected("success", result)


def release(payload: dict[str, Any]) -> Expected:
    """An announcement for each published release."""
    if payload.get("action") != "published":
        return IGNORED
    made = payload["release"]
    version = re.search(r"([0-9]+)\.([0-9]+)\.([0-9]+)", made["tag_name"])
    major = version is not None and version[2] == version[3] == "0" and not made["prerelease"]
    text = f"{made['name'] or made['tag_name']} is out: {made['html_url']}"
    return Expected("success", {**repository(payload), "tag": made["tag_name"], "isMajor": major, "text": text})


def comment(payload: dict[str, Any]) -> Expected:
    """What a model makes of a new comment is its own affair."""
    if payload.get("action") != "created":
        return IGNORED
    return Expected("success", {"issue": payload["issue"]["number"]}, ("gist", "remembered"))


def check(payload: dict[str, Any]) -> Expected:
    """The facts about a check that failed."""
    run = payload.get("check_run") or payload["check_suite"]
    if run.get("conclusion") not in FAILED:
        return IGNORED
    name = run.get("name") or (run.get("app") or {}).get("name") or "unnamed"
    facts = {"check": name, "conclusion": run["conclusion"], "commit": run["head_sha"][:12]}
    return Expected("success", {**repository(payload), **facts})


def repository(payload: dict[str, Any]) -> dict[str, Any]:
    """How every result names the repository."""
    return {"repository": payload["repository"]["full_name"]}


RULES = {
    "issues": issues,
    "pull_request": pull_request,
    "release": release,
    "issue_comment": comment,
    "check_run": check,
    "check_suite": check,
}
