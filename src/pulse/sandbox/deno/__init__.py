"""The sandbox adapter on supervised Deno processes. See ARCHITECTURE.md for what it defends against and what not."""
