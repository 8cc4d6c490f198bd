"""The tone of a response: by a lexicon of our own, or by a model."""
