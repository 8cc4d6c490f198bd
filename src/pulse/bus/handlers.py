"""Who wants to hear of which topic in this process; shared by the adapters."""

from collections import defaultdict

import structlog

from pulse.bus.port import Handler

log = structlog.get_logger(__name__)


class Handlers:
    """Handlers by topic, in the order in which they subscribed."""

    def __init__(self) -> None:
        self._by_topic: defaultdict[str, list[Handler]] = defaultdict(list)

    def add(self, topic: str, handler: Handler) -> None:
        self._by_topic[topic].append(handler)

    def tell(self, topic: str, payload: bytes) -> None:
        """Calls the topic's handlers; one that raises keeps no other from hearing."""
        for handler in tuple(self._by_topic.get(topic, ())):
            try:
                handler(payload)
            except Exception:
                log.exception("announcement_not_handled", topic=topic)

    def tell_of_a_gap(self) -> None:
        """Tells every handler that it may have missed something."""
        for topic in tuple(self._by_topic):
            self.tell(topic, b"")
