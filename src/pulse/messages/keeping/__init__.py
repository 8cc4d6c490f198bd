"""How long messages are kept, and where: segments in the object store, partitions, retention."""
