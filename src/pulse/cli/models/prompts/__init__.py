"""The commands of prompt templates: their texts and versions, sets of values, runs."""
