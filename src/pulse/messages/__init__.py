"""A message's life: accepted, queued, evaluated, kept, archived, replayed."""
