"""What Sentry's clients send: envelopes, read strictly, their items translated into our signals."""
