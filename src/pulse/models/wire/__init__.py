"""What the wire formats share: an exchange over HTTP, events, refusals, and what a prompt becomes."""
