"""Somebody's shop: a Flask application in a process of its own, for `qmon-agent demo` to watch."""
