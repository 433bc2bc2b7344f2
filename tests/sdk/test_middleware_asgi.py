"""`qmon.asgi`: a server span around every request, and nothing else changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from qmon_sdk.context import SCOPE, set_user
from qmon_sdk.middleware.asgi import asgi
from qmon_sdk.recorder.cells import position
from qmon_sdk.spans import current_span, span
from qmon_sdk.start import flush, shutdown, stats

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def a_scope(path="/orders/7", **more):
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(b"host", b"shop")],
        "query_string": b"",
        "scheme": "http",
        "client": ("10.1.2.3", 5000),
        **more,
    }


async def ask(app, scope=None):
    """Serve one request, and return the messages a server would have sent."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope or a_scope(), receive, send)
    return sent


async def hello(scope, receive, send):
    await answer(send, 200)


async def answer(send, status, *chunks):
    await send({"type": "http.response.start", "status": status, "headers": []})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class TestRequests:
    async def test_become_server_spans_with_the_words_of_http(self, told):
        await ask(asgi(hello, route=lambda scope: "/orders/{id}"))

        found = told.span("GET /orders/{id}")
        assert ("server", "unset", "") == (found.kind, found.status, found.parent_id)
        assert {
            "http.request.method": "GET",
            "http.route": "/orders/{id}",
            "http.response.status_code": "200",
            "url.path": "/orders/7",
            "url.scheme": "http",
        } == found.attributes

    async def test_are_named_by_method_alone_where_no_route_is_known(self, told):
        await ask(asgi(hello), a_scope("/wp-login.php"))
        await ask(asgi(hello), a_scope(method="BREW"))

        assert ["GET", "HTTP"] == [found.name for found in told.spans]

    async def test_pass_through_untouched_before_init(self, told):
        shutdown(timeout=0)

        assert [{"type": "http.response.start", "status": 200, "headers": []}] == (
            await ask(asgi(hello))
        )[:1]

    async def test_to_ignored_paths_are_not_watched(self, told):
        await ask(asgi(hello, ignore={"/healthz"}), a_scope("/healthz"))

        assert [] == told.spans

    async def test_within_a_watched_application_are_watched_once(self, told):
        await ask(asgi(asgi(hello)))

        assert 1 == len(told.spans)

    async def test_with_a_status_of_5xx_are_failures(self, told):
        async def sorry(scope, receive, send):
            await answer(send, 503)

        await ask(asgi(sorry))

        assert "error" == told.span("GET").status

    async def test_last_until_the_body_is_sent(self, told):
        async def slow(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await asyncio.sleep(0.02)
            await send({"type": "http.response.body", "body": b"late"})

        await ask(asgi(slow))

        assert told.span("GET").duration_ns > 15_000_000

    async def test_may_be_renamed_by_the_application(self, told):
        async def graphql(scope, receive, send):
            current_span().update_name("POST /graphql orders")
            current_span().set_attribute("graphql.operation", "orders")
            await answer(send, 200)

        await ask(asgi(graphql))

        assert "orders" == told.span("POST /graphql orders").attributes["graphql.operation"]


class TestTraces:
    async def test_go_on_from_the_caller(self, told):
        headers = [(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()), (b"tracestate", b"a=1")]
        seen = []

        async def app(scope, receive, send):
            seen.append((*position(), SCOPE.get().tracestate))
            await answer(send, 200)

        await ask(asgi(app), a_scope(headers=headers))

        found = told.span("GET")
        assert (TRACE, PARENT) == (found.trace_id, found.parent_id)
        assert [(TRACE, found.span_id, "a=1")] == seen

    @pytest.mark.parametrize(
        "header",
        [
            b"",
            b"garbage",
            f"00-{'0' * 32}-{PARENT}-01".encode(),
            f"00-{TRACE}-{'0' * 16}-01".encode(),
            f"ff-{TRACE}-{PARENT}-01".encode(),
            f"00-{TRACE.upper()}-{PARENT}-01".encode(),
            f"00-{TRACE}-{PARENT}-01-more".encode(),
            f"00-{TRACE[:-1]}_-{PARENT}-01".encode(),
            f"00-{TRACE}-{PARENT}-\xe9\xe9".encode("latin-1"),
        ],
    )
    async def test_begin_anew_where_the_header_is_wrong(self, told, header):
        await ask(asgi(hello), a_scope(headers=[(b"traceparent", header)]))

        found = told.span("GET")
        assert found.trace_id != TRACE
        assert "" == found.parent_id

    async def test_of_later_versions_are_understood(self, told):
        header = f"01-{TRACE}-{PARENT}-01-what-comes".encode()
        await ask(asgi(hello), a_scope(headers=[(b"traceparent", header)]))

        assert TRACE == told.span("GET").trace_id

    async def test_that_the_caller_left_out_are_counted_as_sampled(self, told):
        header = f"00-{TRACE}-{PARENT}-00".encode()
        await ask(asgi(hello), a_scope(headers=[(b"traceparent", header)]))

        assert [] == told.spans
        assert {"span/sample_rate": 1} == stats().dropped

    async def test_do_not_hang_on_what_the_thread_did_before(self, told):
        with span("the test"):
            await ask(asgi(hello))

        assert told.span("the test").trace_id != told.span("GET").trace_id

    async def test_are_told_to_the_caller_only_when_asked_for(self, told):
        start, _ = await ask(asgi(hello, traceresponse=True))

        found = told.span("GET")
        header = f"00-{found.trace_id}-{found.span_id}-01".encode()
        assert [(b"traceresponse", header)] == start["headers"]
        assert [] == (await ask(asgi(hello)))[0]["headers"]


class TestScopes:
    async def test_are_fresh_for_every_request_and_left_behind(self, told):
        seen = []

        async def app(scope, receive, send):
            seen.append(SCOPE.get().user_id)
            set_user({"id": "ann"})
            await answer(send, 200)

        await ask(asgi(app))
        await ask(asgi(app))

        assert ["", ""] == seen
        assert ["ann", "ann"] == [found.user_id for found in told.spans]
        assert "" == SCOPE.get().user_id

    async def test_of_concurrent_requests_do_not_mix(self, told):
        async def app(scope, receive, send):
            user = scope["path"].removeprefix("/")
            set_user({"id": user})
            await asyncio.sleep(0.001)
            with span(f"inner {user}"):
                await answer(send, 200)

        await asyncio.gather(*(ask(asgi(app), a_scope(f"/u{n}")) for n in range(50)))

        by_user = {found.user_id: found for found in told.spans if found.name == "GET"}
        for n in range(50):
            inner = told.span(f"inner u{n}")
            assert by_user[f"u{n}"].span_id == inner.parent_id


class TestErrors:
    async def test_nobody_handled_are_kept_once_with_the_request(self, told):
        async def broken(scope, receive, send):
            raise ValueError("planted")

        with pytest.raises(ValueError, match="planted"):
            await ask(asgi(asgi(broken), route=lambda scope: "/orders/{id}"))

        (error,) = told.all("error")
        found = told.span("GET /orders/{id}")
        assert ("ValueError", False, found.span_id) == (error.type, error.handled, error.span_id)
        assert "/orders/{id}" == error.attributes["http.route"]
        assert ("error", "500") == (found.status, found.attributes["http.response.status_code"])

    async def test_in_the_middle_of_a_stream_are_kept_and_the_status_stays(self, told):
        async def broken(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ValueError("planted")

        with pytest.raises(ValueError, match="planted"):
            await ask(asgi(broken))

        found = told.span("GET")
        assert ("error", "200") == (found.status, found.attributes["http.response.status_code"])

    async def test_of_a_caller_who_left_are_none(self, told):
        async def waiting(scope, receive, send):
            await asyncio.sleep(10)

        task = asyncio.create_task(ask(asgi(waiting)))
        await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

        assert [] == told.all("error")
        assert "unset" == told.span("GET").status


class TestPrivacy:
    async def test_keeps_no_address_unless_told_to(self, told):
        await ask(asgi(hello))
        told.begin(send_default_pii=True)
        await ask(asgi(hello))

        addresses = [found.attributes.get("client.address") for found in told.spans]
        assert [None, "10.1.2.3"] == addresses

    async def test_scrubs_the_query_string(self, told):
        query = b"page=2&password=hunter2&q="
        await ask(asgi(hello), a_scope(query_string=query))

        kept = told.span("GET").attributes["url.query"]
        assert "hunter2" not in kept
        assert kept.startswith("page=2&password=")


class TestOtherConnections:
    async def test_a_websocket_is_one_span_from_accept_to_close(self, told):
        async def chat(scope, receive, send):
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "hello"})
            await send({"type": "websocket.close", "code": 1001})

        scope = a_scope("/chat/7", type="websocket", scheme="ws")
        del scope["method"]
        await ask(asgi(chat, route=lambda scope: "/chat/{room}"), scope)

        found = told.span("WEBSOCKET /chat/{room}")
        assert "101" == found.attributes["http.response.status_code"]
        assert "1001" == found.attributes["websocket.close_code"]

    async def test_a_refused_websocket_is_forbidden(self, told):
        async def closed(scope, receive, send):
            await send({"type": "websocket.close"})

        await ask(asgi(closed), a_scope(type="websocket", scheme="ws"))

        assert "403" == told.span("WEBSOCKET").attributes["http.response.status_code"]

    async def test_lifespan_passes_through(self, told):
        seen = []

        async def app(scope, receive, send):
            seen.append(scope["type"])

        await ask(asgi(app), {"type": "lifespan"})

        assert ["lifespan"] == seen
        assert [] == told.spans


class TestBooks:
    async def test_agree_after_a_hundred_requests(self, told):
        for _ in range(100):
            await ask(asgi(hello))
        flush()

        assert {"span": 100} == stats().captured
        assert 100 == len(told.spans)
