"""Organizations and environments as places: how their lists are read, and how they are renamed and deleted."""
