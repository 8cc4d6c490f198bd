"""What somebody shows besides the password: codes of an authenticator, and recovery codes."""
