"""Whose things are whose: organizations, environments, API keys, webhook sources, and the vault for their secrets."""
