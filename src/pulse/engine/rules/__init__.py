"""Decisions: pure functions on frozen records. Time, ids and randomness come in as arguments."""
