"""How processes tell each other of what changed: a port, and two ways behind it (in one process, and Redis)."""
