"""A template over sets of values and models: cells that are worked off one by one, whatever happens meanwhile."""
