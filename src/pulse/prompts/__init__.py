"""Models as organizations use them: credentials, configurations, limits, calls; prompt templates and their runs."""
