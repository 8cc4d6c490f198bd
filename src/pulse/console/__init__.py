"""The console's API. Transport only: every rule is in a noun below."""
