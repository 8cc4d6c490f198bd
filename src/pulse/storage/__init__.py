"""Mechanism only: the database, the committer, claims, the outbox, the migration runner. No noun is known here."""
