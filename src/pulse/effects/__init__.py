"""What scripts may do to the world, each function in a module of its own."""
