"""Prompt templates: their versions, variables and named sets of values."""
