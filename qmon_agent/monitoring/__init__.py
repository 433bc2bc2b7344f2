"""Monitoring: which systems and metrics there are, their latest values, and the host's own."""
