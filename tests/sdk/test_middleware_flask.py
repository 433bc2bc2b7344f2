"""Flask, for real: rules, errors and streams of an application under its integration."""

from __future__ import annotations

import flask
import pytest

from qmon_sdk.start import stats


@pytest.fixture
def app(told):
    told.begin(integrations=("flask",))
    shop = flask.Flask("shop")

    @shop.get("/orders/<int:number>")
    def order(number):
        return f"order {number}"

    @shop.get("/bug")
    def bug():
        raise ValueError("planted")

    return shop


def get(app, path, **options):
    """Ask as a server does: read the body, then close it."""
    return app.test_client().get(path, buffered=True, **options)


class TestFlask:
    def test_names_a_request_by_its_rule(self, app, told):
        assert 200 == get(app, "/orders/7").status_code

        span = told.span("GET /orders/<int:number>")
        assert ("server", "unset") == (span.kind, span.status)
        assert "/orders/7" == span.attributes["url.path"]
        assert {"flask": "watching"} == stats().integrations
