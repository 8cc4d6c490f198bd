"""Plans, subscriptions, and how many messages an organization may have evaluated in a month."""
