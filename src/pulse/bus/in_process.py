"""The bus of an installation that is one process: handlers are called while `publish` runs."""

import structlog

from pulse.bus.handlers import Handlers
from pulse.bus.port import Handler

log = structlog.get_logger(__name__)


class InProcessBus:
    """Announcements within this object; implements `Bus`."""

    name = "bus"
    trouble: str | None = None

    def __init__(self) -> None:
        self._handlers = Handlers()
        self._hears = False
        self._stopped = False

    async def start(self) -> None:
        self._hears = True

    async def stop(self) -> None:
        self._hears = False
        self._stopped = True

    async def publish(self, topic: str, payload: bytes) -> None:
        if self._stopped:
            log.warning("announcement_lost", topic=topic, reason="the bus has stopped")
        if self._hears:
            self._handlers.tell(topic, payload)

    def subscribe(self, topic: str, handler: Handler) -> None:
        self._handlers.add(topic, handler)
