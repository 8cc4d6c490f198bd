"""For tests of applications that use the engine: time that is moved by hand, running to idleness, and crashes."""

from pulse.testing.clock import FakeClock
from pulse.testing.faults import Faults
from pulse.testing.running import run_until_idle

__all__ = ["FakeClock", "Faults", "run_until_idle"]
