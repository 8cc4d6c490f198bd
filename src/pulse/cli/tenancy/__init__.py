"""Commands of organizations, people, keys, sources and variables."""
