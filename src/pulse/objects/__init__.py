"""Where closed things are kept: a port, and obstore behind it (a local folder, S3 and its kin)."""
