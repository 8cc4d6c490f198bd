"""What runs: the worker that claims runs, the drive of one run, and the duties around them."""
