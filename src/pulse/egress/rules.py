"""What is decided before a connection is made, for each of the addresses that a name has."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from pulse.egress.addresses import Address, parsed, refusal
from pulse.egress.allow import Allowed
from pulse.egress.listeners import Listener, is_own
from pulse.egress.port import AddressRefused, Unreachable

log = structlog.get_logger(__name__)

# The list of the Fetch standard ("port blocking").
_FETCH = (
    *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109),
    *(110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530),
    *(531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190),
    *(5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
)
# SMB, rsync, SQL Server, Oracle, MQTT, ZooKeeper, MySQL, RDP, NATS, PostgreSQL, AMQP, VNC, Redis, PgBouncer, Cassandra,
# Kafka, Elasticsearch among its nodes, memcached, Redis Sentinel, MongoDB.
_INNER = (
    *(445, 873, 1433, 1521, 1883, 2181, 3306, 3389, 4222, 5432, 5672, 5900, 6379, 6432, 9042),
    *(9092, 9300, 11211, 26379, 27017),
)
CLOSED_PORTS = frozenset((*_FETCH, *_INNER))


@dataclass(frozen=True)
class Rules:
    """The rules in force; `own_listeners` is asked each time."""

    allowed: Allowed
    own_listeners: Callable[[], Iterable[Listener]]

    def checked(self, host: str, port: int, answers: Sequence[str]) -> list[Address]:
        """The addresses that a resolver gave for a host, once each. Raises AddressRefused if one of them is refused.

        The log has the reason; the error, which a tenant reads, does not tell what is behind the name.
        """
        addresses = list(dict.fromkeys(map(parsed, answers)))
        if not addresses:
            raise Unreachable(f"{host} has no address: check the name.")
        good = [address for address in addresses if address is not None]
        reasons = [] if len(good) == len(addresses) else ["unreadable"]
        reasons += [reason for address in good if (reason := self._refusal(host, address, port))]
        if reasons:
            log.info("egress_refused", host=host, port=port, reason=reasons[0])
            raise AddressRefused(_words(host, port, closed_port="port" in reasons))
        return good

    def _refusal(self, host: str, address: Address, port: int) -> str | None:
        if is_own(address, port, self.own_listeners()):
            return "own listener"
        if port in CLOSED_PORTS and not self.allowed.opens(host, address, port):
            return "port"
        reason = refusal(address)
        if reason != "scoped" and self.allowed.permits(host, address, port):
            return None
        return reason


def _words(host: str, port: int, *, closed_port: bool) -> str:
    if closed_port:
        return f"Port {port} of {host} may not be reached from here: it is no port of HTTP."
    return f"{host} may not be reached from here: requests go to public addresses, and to what EGRESS_ALLOW lists."
