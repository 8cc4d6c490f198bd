"""The engine's figures: throughput beside its peers, emitting, waiting, and a long history."""
