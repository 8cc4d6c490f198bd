"""Language models: one port, one module a wire format."""
