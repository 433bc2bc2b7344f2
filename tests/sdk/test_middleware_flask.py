"""Flask, for real: rules, errors, streams and mounts of applications under its integration."""

from __future__ import annotations

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from qmon_sdk.capture import capture_exception
from qmon_sdk.context import set_user
from qmon_sdk.middleware.wsgi import wsgi
from qmon_sdk.spans import span
from qmon_sdk.start import shutdown, stats


def a_shop():
    shop = flask.Flask("shop")

    @shop.get("/orders/<int:number>")
    def order(number):
        set_user({"id": f"user-{number}"})
        return f"order {number}"

    @shop.get("/bug/<word>")
    def bug(word):
        raise ValueError(word)

    @shop.get("/busy")
    def busy():
        flask.abort(503)

    @shop.get("/seen")
    def seen():
        try:
            raise LookupError("seen")
        except LookupError:
            capture_exception()
            raise

    return shop


@pytest.fixture
def shop(told):
    told.begin(integrations=("flask",))
    return a_shop()


def get(app, path):
    """Ask as a server does: read the body, then close it."""
    return Client(app).get(path, buffered=True)


class TestFlask:
    def test_names_a_request_by_its_rule(self, shop, told):
        assert b"order 7" == get(shop, "/orders/7").data

        found = told.span("GET /orders/<int:number>")
        assert ("server", "unset", "user-7") == (found.kind, found.status, found.user_id)
        assert "/orders/7" == found.attributes["url.path"]

    def test_names_a_request_without_a_rule_by_its_method(self, shop, told):
        assert 404 == get(shop, "/wp-admin/7").status_code

        assert ["GET"] == [found.name for found in told.spans]

    def test_keeps_the_error_that_flask_answers_with_a_500(self, shop, told):
        assert 500 == get(shop, "/bug/planted").status_code

        (error,) = told.all("error")
        assert ("ValueError", "planted", False) == (error.type, error.message, error.handled)
        assert "/bug/<word>" == error.attributes["http.route"]
        assert "error" == told.span("GET /bug/<word>").status

    def test_keeps_the_error_that_testing_raises(self, shop, told):
        shop.testing = True
        with pytest.raises(ValueError, match="planted"):
            get(shop, "/bug/planted")

        assert 1 == len(told.all("error"))
        assert "error" == told.span("GET /bug/<word>").status

    def test_keeps_an_error_once_that_the_application_kept_itself(self, shop, told):
        get(shop, "/seen")

        assert ["LookupError"] == [error.type for error in told.all("error")]

    def test_keeps_a_handled_error_only_if_the_answer_is_a_failure(self, shop, told):
        @shop.errorhandler(ValueError)
        def answer(error):
            return f"sorry: {error}", 502 if str(error) == "upstream" else 404

        assert 404 == get(shop, "/bug/gone").status_code
        assert 502 == get(shop, "/bug/upstream").status_code
        assert [("upstream", True)] == [(e.message, e.handled) for e in told.all("error")]

    def test_keeps_a_500_that_was_raised_as_an_answer(self, shop, told):
        get(shop, "/busy")

        assert ["ServiceUnavailable"] == [error.type for error in told.all("error")]

    def test_ends_a_stream_with_its_last_byte(self, shop, told):
        @shop.get("/stream")
        def stream():
            return flask.Response(flask.stream_with_context(c for c in (b"a", b"b")))

        assert b"ab" == get(shop, "/stream").data
        assert "200" == told.span("GET /stream").attributes["http.response.status_code"]


class TestMounts:
    def test_are_part_of_the_route(self, shop, told):
        get(DispatcherMiddleware(flask.Flask("front"), {"/shop": shop}), "/shop/orders/7")

        found = told.span("GET /shop/orders/<int:number>")
        assert "/shop/orders/7" == found.attributes["url.path"]

    def test_under_the_middleware_are_watched_once(self, shop, told):
        get(wsgi(DispatcherMiddleware(flask.Flask("front"), {"/shop": shop})), "/shop/orders/7")

        assert ["GET /shop/orders/<int:number>"] == [found.name for found in told.spans]


class TestBlueprints:
    def test_are_part_of_the_route(self, shop, told):
        admin = flask.Blueprint("admin", __name__, url_prefix="/admin/<tenant>")
        admin.add_url_rule("/users", "users", lambda tenant: tenant)
        shop.register_blueprint(admin)

        get(shop, "/admin/acme/users")

        assert "GET /admin/<tenant>/users" == told.spans[0].name


class TestHooks:
    def test_before_a_request_are_inside_of_it(self, shop, told):
        shop.before_request(lambda: set_user({"id": "ada"}))
        get(shop, "/bug/x")

        assert "ada" == told.all("error")[0].user_id

    def test_that_fail_fail_the_request(self, shop, told):
        shop.before_request(lambda: 1 / 0)
        get(shop, "/orders/7")

        assert "ZeroDivisionError" == told.all("error")[0].type
        assert ("GET /orders/<int:number>", "error") == (told.spans[0].name, told.spans[0].status)

    def test_after_a_request_are_inside_of_it(self, shop, told):
        @shop.after_request
        def after(response):
            with span("after"):
                return response

        get(shop, "/orders/7")

        request = told.span("GET /orders/<int:number>")
        assert request.span_id == told.span("after").parent_id


class TestRemoval:
    def test_leaves_flask_as_it_was(self, told):
        before = flask.Flask.__call__
        told.begin(integrations=("flask",))
        assert before is not flask.Flask.__call__
        assert {"flask": "watching"} == stats().integrations

        shutdown(timeout=0)
        assert before is flask.Flask.__call__
        assert 503 == get(a_shop(), "/busy").status_code
