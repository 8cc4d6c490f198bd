"""The commands of models: credentials, configurations, prompt templates."""
