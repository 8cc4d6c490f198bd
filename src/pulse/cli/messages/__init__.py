"""`pulse messages`."""
