"""Notify: takes what must be told out of the outbox and tells it until it has arrived."""
