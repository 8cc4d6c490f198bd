"""Pure rules shared by many packages; nothing here does I/O."""
