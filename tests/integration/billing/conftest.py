"""The same installation that the receiver is tested on."""

from tests.integration.receiver.conftest import acme, pulse

__all__ = ["acme", "pulse"]
