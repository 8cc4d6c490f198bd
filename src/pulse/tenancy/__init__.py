"""Whose things are whose: organizations, environments, keys, webhook sources, variables, and the vault for secrets."""
