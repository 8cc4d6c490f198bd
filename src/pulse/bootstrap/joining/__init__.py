"""An application's engine beside the platform: loaded, joined, and spoken with."""
