"""How what is secret is kept: the vault, and the keys that organizations have in it."""
