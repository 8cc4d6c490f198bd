"""Routes of people: signing in, their profile, users, members."""
