"""Where the engine's records live: tables, and the transactions on them. Everything here is set-based."""
