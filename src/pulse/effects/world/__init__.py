"""What scripts may do to the world: one module a subject."""
