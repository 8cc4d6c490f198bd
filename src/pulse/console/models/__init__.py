"""Models as the API shows them: what the catalogue offers, credentials, configurations, prompt templates."""
