"""The error tree. The docstring of a class is its message; `code` is stable and may be relied upon.

PulseError
├─ InvalidInput          what was sent is wrong; the sender can mend it
│  ├─ InvalidJson        not JSON as RFC 8259 wants it, or beyond the limits; carries a position
│  ├─ InvalidMessage     JSON, but not a message
│  ├─ InvalidFields      a list of faults, each with its path
│  └─ TooLarge           over a limit that the error names
├─ Denied
│  ├─ Unauthenticated    no key, or one that is not known
│  └─ Forbidden          a known key that may not do this
├─ NotFound              nothing under that name, or nothing of yours
├─ Conflict              it contradicts what is stored
│  ├─ IdempotencyConflict
│  ├─ StaleRevision
│  └─ AlreadyRunning     a second process on the same data folder
├─ Unavailable           Pulse cannot do it now; nothing was changed
│  ├─ StorageFull
│  ├─ StorageReadOnly
│  ├─ StorageDown
│  └─ SandboxStopped     the message is evaluated again, later or elsewhere
├─ Misconfigured         a setting or a part of the machine is not as it must be
└─ LeaseLost             somebody else holds the row now; nothing was written
"""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an input, and where: `path` is dotted, `code` stable."""

    path: str
    code: str
    message: str


class PulseError(Exception):
    """Something went wrong in Pulse."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])
        self.details = details

    @property
    def message(self) -> str:
        return str(self.args[0])


class InvalidInput(PulseError):
    """What was sent cannot be used as it is."""

    code = "invalid_input"


class InvalidJson(InvalidInput):
    """The body is not valid JSON."""

    code = "invalid_json"


class InvalidMessage(InvalidInput):
    """The body is JSON, but it is not a message: a message is one JSON object."""

    code = "invalid_message"


class InvalidFields(InvalidInput):
    """Some fields are not as they must be."""

    code = "invalid_fields"

    def __init__(self, faults: list[Fault]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{first.path or 'body'}: {first.message}{more}")
        self.faults = faults


class TooLarge(InvalidInput):
    """The body is larger than the limit."""

    code = "too_large"


class Denied(PulseError):
    """This is not allowed."""

    code = "denied"


class Unauthenticated(Denied):
    """The API key is missing, unknown, expired or revoked: send `Authorization: Bearer pk_…`."""

    code = "unauthenticated"


class Forbidden(Denied):
    """This key may not do that."""

    code = "forbidden"


class NotFound(PulseError):
    """Nothing was found under that name."""

    code = "not_found"


class Conflict(PulseError):
    """This contradicts what is already stored."""

    code = "conflict"


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used before with another body: use a new key for a new message."""

    code = "idempotency_conflict"


class StaleRevision(Conflict):
    """Somebody changed this since you read it: read it again and repeat your change."""

    code = "stale_revision"


class AlreadyRunning(Conflict):
    """Another Pulse process is using this data folder."""

    code = "already_running"


class Unavailable(PulseError):
    """Pulse cannot take this now; nothing was stored. Try again shortly."""

    code = "unavailable"


class StorageFull(Unavailable):
    """The disk is full; nothing was stored. Free some space, then try again."""

    code = "storage_full"


class StorageReadOnly(Unavailable):
    """The data folder cannot be written to; nothing was stored. Check its owner, its mode, and the mount."""

    code = "storage_read_only"


class StorageDown(Unavailable):
    """The database does not answer; nothing was stored. Try again shortly."""

    code = "storage_down"


class Misconfigured(PulseError):
    """A setting is not as it must be."""

    code = "misconfigured"


class LeaseLost(PulseError):
    """The lease is gone: somebody else holds this row now, and nothing was written."""

    code = "lease_lost"


class SandboxStopped(Unavailable):
    """The sandbox is being stopped; this message will be evaluated again."""

    code = "sandbox_stopped"
