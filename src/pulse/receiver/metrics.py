"""The receiver's figures, as Prometheus reads them."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class ReceiverMetrics:
    """Counters in `registry`; rejected requests are counted by their cause."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.accepted = Counter("pulse_messages_accepted_total", "Messages accepted.", registry=registry)
        self.repeated = Counter("pulse_messages_repeated_total", "Messages that were repeats.", registry=registry)
        self.rejected = Counter("pulse_requests_rejected_total", "Requests refused.", ["cause"], registry=registry)
        self.seconds = Histogram(
            "pulse_accept_seconds",
            "Time to make a message durable.",
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
        )
