"""The only way out to other people's servers."""
