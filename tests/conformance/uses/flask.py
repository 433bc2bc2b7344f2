"""A request to a Flask application."""

from __future__ import annotations

from flask import Flask


def use(servers):
    app = Flask("shop")
    app.add_url_rule("/", "home", lambda: "hello")
    yield
    with app.test_client().get("/") as response:
        assert 200 == response.status_code
