"""Texts found by meaning: cut into chunks, embedded, searched in the database, by pgvector, or by Pinecone."""
