"""What workflows remember from one message to the next: named values (short-term), and texts found by meaning."""
