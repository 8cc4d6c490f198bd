"""Times in bodies and queries."""

from pulse.core.clock import parse_iso
from pulse.core.errors import Fault, InvalidFields


def time_of(name: str, text: str | None) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 time; None where none is given. Raises InvalidFields under `name`."""
    if text is None:
        return None
    try:
        return parse_iso(text)
    except ValueError:
        words = f"{name} is a time such as 2026-01-31T12:00:00Z."
        raise InvalidFields([Fault(name, "invalid_time", words)]) from None
