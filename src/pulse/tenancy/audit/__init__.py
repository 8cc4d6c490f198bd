"""The record of who changed what: written with each change, and sealed into chains."""
