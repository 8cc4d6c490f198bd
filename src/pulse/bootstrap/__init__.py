"""Where everything is put together: settings, wiring, processes. The only place that names adapters."""
