"""The durable engine: signals in, workflows of steps run, every step recorded. Imports core and storage only."""
