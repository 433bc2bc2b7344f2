"""Alerting: rules judge what arrives, incidents live, and what must be told goes to the outbox."""
