"""Routes of organizations, environments, API keys and sources."""
