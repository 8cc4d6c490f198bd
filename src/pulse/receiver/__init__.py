"""The receiver: HTTP in, durable messages out. Transport only."""
