"""Pulse: event-driven workflows. The names exported here are the engine's; the platform is run with `pulse up`."""

__all__: list[str] = []
