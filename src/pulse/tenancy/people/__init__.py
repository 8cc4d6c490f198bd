"""People: who they are, which organizations they belong to, and how they sign in."""
