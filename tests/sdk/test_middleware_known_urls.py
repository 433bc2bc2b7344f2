"""URLs that come again and again: written once, and said of them what is said of others."""

from __future__ import annotations

import pytest

from qmon_sdk.client import current
from qmon_sdk.middleware.sites import MOST_KNOWN, OFTEN, KnownUrls
from qmon_sdk.middleware.wsgi import wsgi
from qmon_sdk.spans import current_span


def ask(app, path, query="", **environ):
    """Send one request; the answer is read to its end."""
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, **environ}
    list(app({"wsgi.url_scheme": "http", **asked}, lambda *_: None))


def hello(environ, start_response):
    start_response(environ.get("status", "200 OK"), [])
    return [b"hello"]


class TestAUrlThatComesOften:
    def test_is_told_like_any_other(self, told):
        for _ in range(OFTEN + 2):
            ask(wsgi(hello), "/cart", "page=2&token=abc&mail=ann@shop.example")

        first, *_, last = told.spans
        assert "page=2&token=[scrubbed]&mail=[scrubbed]" == first.attributes["url.query"]
        assert dict(first.attributes) == dict(last.attributes)
        assert first.name == last.name

    def test_has_the_status_and_the_route_of_each_request(self, told):
        app = wsgi(hello, route=lambda environ: environ.get("route", ""))
        for _ in range(OFTEN):
            ask(app, "/cart")
        ask(app, "/cart", status="404 Not Found", route="/{name}")

        last = told.spans[-1]
        assert "GET /{name}" == last.name
        assert "404" == last.attributes["http.response.status_code"]
        assert "/cart" == last.attributes["url.path"]

    def test_has_what_the_application_says(self, told):
        def says(environ, start_response):
            current_span().set_attribute("cart.size", 3)
            return hello(environ, start_response)

        for _ in range(OFTEN + 1):
            ask(wsgi(says), "/cart")

        last = told.spans[-1]
        assert ("3", "/cart") == (last.attributes["cart.size"], last.attributes["url.path"])

    def test_is_scrubbed_as_the_client_of_the_day_wants_it(self, told):
        for _ in range(OFTEN + 1):
            ask(wsgi(hello), "/cart", "plan=pro")
        told.begin(scrub=("plan",))
        ask(wsgi(hello), "/cart", "plan=pro")

        assert "plan=[scrubbed]" == told.spans[-1].attributes["url.query"]


@pytest.fixture
def known(told):
    return KnownUrls()


class TestKnownUrls:
    def test_must_come_often(self, known):
        scrubber = current().scrubber
        found = [known.find(("GET", "/", ""), scrubber) for _ in range(OFTEN + 1)]

        assert [None] * (OFTEN - 1) == found[: OFTEN - 1]
        assert found[-1] is found[-2] is not None

    def test_are_few_whatever_is_asked_for(self, known):
        for number in range(MOST_KNOWN + 10):
            for _ in range(OFTEN):
                known.find(("GET", f"/{number}", ""), current().scrubber)

        assert MOST_KNOWN == len(known._known)

    def test_do_not_remember_those_that_come_once(self, known):
        for number in range(5000):
            known.find(("GET", f"/{number}", ""), current().scrubber)

        assert {} == known._known
        assert len(known._met) < 2000
