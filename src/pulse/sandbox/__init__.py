"""Where tenants' code runs: a port, and the supervised Deno processes behind it."""
