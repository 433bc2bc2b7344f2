"""`qmon.wsgi`: a span around every request until its body is closed, and nothing else changed."""

from __future__ import annotations

import io
from wsgiref.util import FileWrapper

import pytest

from qmon_sdk.context import SCOPE, set_user
from qmon_sdk.middleware.wsgi import wsgi
from qmon_sdk.spans import span
from qmon_sdk.start import shutdown

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def an_environ(path="/orders/7", **more):
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "10.1.2.3",
        "wsgi.url_scheme": "http",
        "wsgi.file_wrapper": FileWrapper,
        **more,
    }


class Heard(list):
    """What a server would have heard from `start_response`."""

    def __call__(self, status, headers, exc_info=None):
        self.append((status, headers))
        return lambda data: None


def ask(app, environ=None, heard=None):
    """Serve one request as a server must: read the body, and close it whatever happens."""
    body = app(environ or an_environ(), heard if heard is not None else Heard())
    try:
        return b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()


def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


class Stream:
    """A body made while it is sent, that says whether it was closed."""

    closed = False

    def __init__(self, *chunks, fails=None):
        self.chunks = chunks
        self.fails = fails

    def __iter__(self):
        yield from self.chunks
        if self.fails is not None:
            raise self.fails

    def close(self):
        self.closed = True


def streaming(stream):
    def app(environ, start_response):
        start_response("200 OK", [])
        return stream

    return app


class TestRequests:
    def test_end_with_a_body_that_its_server_never_closes(self, told):
        body = wsgi(streaming(Stream(b"a")))(an_environ(), Heard())
        assert b"a" == b"".join(body)
        assert [] == told.spans

        del body
        assert "200" == told.span("GET").attributes["http.response.status_code"]

    def test_become_server_spans_with_the_words_of_http(self, told):
        assert b"hello" == ask(wsgi(hello, route=lambda environ: "/orders/{id}"))

        found = told.span("GET /orders/{id}")
        assert ("server", "unset", "") == (found.kind, found.status, found.parent_id)
        assert {
            "http.request.method": "GET",
            "http.route": "/orders/{id}",
            "http.response.status_code": "200",
            "url.path": "/orders/7",
            "url.scheme": "http",
        } == found.attributes

    def test_pass_through_untouched_before_init(self, told):
        shutdown(timeout=0)

        assert b"hello" == ask(wsgi(hello))

    def test_to_ignored_paths_are_not_watched(self, told):
        ask(wsgi(hello, ignore={"/healthz"}), an_environ("/healthz"))

        assert [] == told.spans

    @pytest.mark.parametrize(("method", "name"), [("POST", "POST"), ("BREW", "HTTP")])
    def test_that_never_end_are_named_by_their_method(self, told, method, name):
        def app(environ, start_response):
            shutdown(timeout=1)
            return hello(environ, start_response)

        ask(wsgi(app), an_environ(REQUEST_METHOD=method))
        assert [(name, "true")] == [(s.name, s.attributes["qmon.open"]) for s in told.spans]

    def test_go_on_with_the_caller_s_trace(self, told):
        ask(wsgi(hello), an_environ(HTTP_TRACEPARENT=f"00-{TRACE}-{PARENT}-01"))

        found = told.span("GET")
        assert (TRACE, PARENT) == (found.trace_id, found.parent_id)

    def test_tell_their_trace_when_asked_to(self, told):
        ask(wsgi(hello, traceresponse=True), heard=(heard := Heard()))

        found = told.span("GET")
        expected = ("traceresponse", f"00-{found.trace_id}-{found.span_id}-01")
        assert [("200 OK", [expected])] == heard

    def test_show_paths_as_text_not_as_latin_1(self, told):
        ask(wsgi(hello), an_environ("/caf\xc3\xa9"))

        assert "/café" == told.span("GET").attributes["url.path"]

    def test_begin_with_a_fresh_scope_and_leave_it(self, told):
        seen = []

        def app(environ, start_response):
            seen.append(SCOPE.get().user_id)
            set_user({"id": "ann"})
            return hello(environ, start_response)

        ask(wsgi(app))
        ask(wsgi(app))

        assert ["", ""] == seen
        assert "" == SCOPE.get().user_id
        assert ["ann", "ann"] == [found.user_id for found in told.spans]


class TestBodies:
    def test_are_part_of_the_request_until_they_are_closed(self, told):
        def counting():
            with span("in the body"):
                yield b"1"

        assert b"1" == ask(wsgi(streaming(counting())))

        assert told.span("GET").span_id == told.span("in the body").parent_id

    def test_are_closed_once_the_server_says_so(self, told):
        stream = Stream(b"a", b"b")
        body = wsgi(streaming(stream))(an_environ(), Heard())

        assert [b"a", b"b"] == list(body)
        assert not stream.closed
        body.close()
        assert stream.closed

    def test_that_are_never_read_still_end_the_span(self, told):
        wsgi(streaming(Stream(b"a")))(an_environ(REQUEST_METHOD="HEAD"), Heard()).close()

        assert "200" == told.span("HEAD").attributes["http.response.status_code"]

    def test_that_fail_are_errors(self, told):
        stream = Stream(b"a", fails=ValueError("planted"))

        with pytest.raises(ValueError, match="planted"):
            ask(wsgi(streaming(stream)))

        (error,) = told.all("error")
        assert ("ValueError", False) == (error.type, error.handled)
        assert ("error", True) == (told.span("GET").status, stream.closed)

    def test_of_files_reach_the_server_as_they_are(self, told):
        wrapped = FileWrapper(io.BytesIO(b"file"))

        assert wrapped is wsgi(streaming(wrapped))(an_environ(), Heard())
        assert "200" == told.span("GET").attributes["http.response.status_code"]

    def test_of_a_list_reach_the_server_as_they_are(self, told):
        assert [b"hello"] == wsgi(hello)(an_environ(), Heard())


class TestErrors:
    def test_nobody_handled_are_kept_once_with_the_request(self, told):
        def broken(environ, start_response):
            raise ValueError("planted")

        with pytest.raises(ValueError, match="planted"):
            ask(wsgi(wsgi(broken)))

        (error,) = told.all("error")
        found = told.span("GET")
        assert ("ValueError", False, found.span_id) == (error.type, error.handled, error.span_id)
        assert "/orders/7" == error.attributes["url.path"]
        assert ("error", "500") == (found.status, found.attributes["http.response.status_code"])

    def test_after_which_the_application_starts_again_are_passed_on(self, told):
        heard = Heard()

        def second_thoughts(environ, start_response):
            start_response("200 OK", [])
            try:
                raise ValueError("planted")
            except ValueError as error:
                start_response("500 Oh", [], (ValueError, error, error.__traceback__))
            return [b"sorry"]

        ask(wsgi(second_thoughts), heard=heard)

        assert ["200 OK", "500 Oh"] == [status for status, _ in heard]
        assert "error" == told.span("GET").status
