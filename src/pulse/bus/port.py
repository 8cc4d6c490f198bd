"""The bus as the rest of Pulse sees it: announcements that may be lost.

Nothing may rely on one. Who keeps what others may change reads it again from time to time all the same; the bus only
makes that sooner. Publishing is therefore never an error, and a bus that does not work is never a reason not to start.
"""

from collections.abc import Callable
from typing import Protocol

from pulse.core.duty import Duty

Handler = Callable[[bytes], None]


class Bus(Duty, Protocol):
    """Announcements under topics such as `changes`, to every process of the installation, the publisher's too.

    Between `start` and `stop` each handler gets each announcement of its topic at most once, and those of one publisher
    in the order in which it published them. After a time in which the bus could not be heard, every handler is called
    once with `b""`: *you may have missed something*. Anybody may publish `b""` with the same meaning.
    """

    @property
    def trouble(self) -> str | None:
        """Why announcements are not heard now; None where all is well, and before `start`."""
        ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """Announces, within a few seconds at most. One that cannot be sent, or after `stop`, is logged and lost.

        It may be used without `start`, by a process that hears nothing itself; `stop` then closes what it opened.
        """
        ...

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Has `handler` called from now on, or from `start` on.

        It is a plain function and must be quick, for everything else of the process waits. What it raises is logged.
        """
        ...
