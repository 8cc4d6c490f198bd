"""Every figure that Pulse quotes, each one command: `pulse bench SCENARIO`, or `python -m benchmarks.SCENARIO`."""
