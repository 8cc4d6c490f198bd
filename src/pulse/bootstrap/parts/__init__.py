"""The parts of a process, in the groups that they are put together in; wiring.py makes one whole of them."""
