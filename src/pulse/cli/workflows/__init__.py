"""`pulse workflows`."""
