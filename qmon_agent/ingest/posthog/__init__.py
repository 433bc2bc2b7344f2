"""What PostHog's clients send: bodies in all their forms, events translated into our signals."""
