"""What is expected of a response, and whether it holds."""
