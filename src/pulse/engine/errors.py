"""What goes wrong in the engine only, and what a handler raises to say how it wants to go on.

PulseError
├─ Conflict
│  └─ IllegalTransition   the run or step is in a status from which this is not possible
└─ ActionFailed           the attempt failed
   ├─ Fatal               and no further attempt can help
   └─ RetryAfter          and the next one is wanted after so many seconds
"""

from pulse.core.errors import Conflict, PulseError


class IllegalTransition(Conflict):
    """The run is in a status from which this is not possible; nothing was changed."""

    code = "illegal_transition"


class ActionFailed(PulseError):
    """The action failed."""

    code = "action_failed"


class Fatal(ActionFailed):
    """The action failed, and trying again cannot help."""

    code = "fatal"


class RetryAfter(ActionFailed):
    """The action failed and asks for another attempt after a while."""

    code = "retry_after"

    def __init__(self, seconds: float, message: str | None = None) -> None:
        super().__init__(message or f"The action asked for another attempt after {seconds:g} s.")
        self.seconds = seconds
