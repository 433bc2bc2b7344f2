"""aiohttp's server: requests by the path of their resource, errors with what was asked for."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from qmon_sdk.client import current
from qmon_sdk.context import set_user
from qmon_sdk.spans import span
from qmon_sdk.start import shutdown


async def hello(request):
    with span("inside"):
        return web.Response(text=request.match_info.get("name", "nobody"))


async def fail(_):
    set_user({"id": "ada"})
    raise LookupError("no such cart")


async def refuse(_):
    raise web.HTTPForbidden


async def break_down(_):
    raise web.HTTPBadGateway


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"a")
    await response.write_eof(b"b")
    return response


async def talk(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


def application():
    app, shop = web.Application(), web.Application()
    shop.router.add_get("/carts/{name}", hello)
    app.add_subapp("/shop", shop)
    routes = {"/fail": fail, "/refuse": refuse, "/bad": break_down, "/stream": stream}
    for path, handler in {**routes, "/talk": talk, "/hello/{name:[a-z]+}": hello}.items():
        app.router.add_get(path, handler)
    return app


@pytest.fixture
async def client(told):
    """A session of a real server."""
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    told.begin(integrations=("aiohttp",))  # after the server: no order matters
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(url) as session:
        yield session
    await runner.cleanup()


async def get(client, path, **options):
    async with client.get(path, **options) as response:
        return response.status, await response.text()


def server_span(told):
    (found,) = [made for made in told.spans if made.kind == "server"]
    return found


class TestRequests:
    async def test_are_named_by_their_resource(self, client, told):
        assert (200, "ann") == await get(client, "/hello/ann?page=2&token=abc")

        made = server_span(told)
        assert ("GET /hello/{name}", "unset") == (made.name, made.status)
        assert "/hello/{name}" == made.attributes["http.route"]
        assert "/hello/ann" == made.attributes["url.path"]
        assert "page=2&token=[scrubbed]" == made.attributes["url.query"]
        assert "200" == made.attributes["http.response.status_code"]

    async def test_of_applications_inside_of_others_have_the_whole_path(self, client, told):
        await get(client, "/shop/carts/7")

        assert "GET /shop/carts/{name}" == server_span(told).name

    async def test_that_find_nothing_are_named_by_their_method(self, client, told):
        assert 404 == (await get(client, "/nothing"))[0]

        assert ("GET", "unset") == (server_span(told).name, server_span(told).status)

    async def test_go_on_with_the_trace_of_the_client(self, client, told):
        await get(client, "/hello/ann")

        sent = told.span("GET")
        assert (sent.trace_id, sent.span_id) == (
            server_span(told).trace_id,
            server_span(told).parent_id,
        )
        assert server_span(told).span_id == told.span("inside").parent_id

    async def test_of_streams_last_until_their_end(self, client, told):
        assert (200, "ab") == await get(client, "/stream")

        assert "200" == server_span(told).attributes["http.response.status_code"]

    async def test_may_become_websockets(self, client, told):
        async with client.ws_connect("/talk") as socket:
            await socket.send_str("hello")
            assert "hello" == await socket.receive_str()

        await asyncio.sleep(0.05)
        assert "101" == server_span(told).attributes["http.response.status_code"]


class TestErrors:
    async def test_are_kept_with_the_request_and_its_user(self, client, told):
        assert 500 == (await get(client, "/fail"))[0]

        (error,) = told.all("error")
        assert ("LookupError", False, "ada") == (error.type, error.handled, error.user_id)
        assert "/fail" == error.attributes["http.route"]
        assert ("error", "LookupError") == (
            server_span(told).status,
            server_span(told).attributes["error.type"],
        )

    async def test_are_not_what_the_application_answers_on_purpose(self, client, told):
        assert 403 == (await get(client, "/refuse"))[0]

        assert [] == told.all("error")
        assert "unset" == server_span(told).status

    async def test_are_answers_that_say_that_the_server_is_broken(self, client, told):
        assert 502 == (await get(client, "/bad"))[0]

        assert ["HTTPBadGateway"] == [error.type for error in told.all("error")]
        assert "error" == server_span(told).status


class TestRemoving:
    async def test_ends_the_watch_of_a_running_server(self, client, told):
        current().integrations["aiohttp"].remove()

        assert (200, "ann") == await get(client, "/hello/ann")
        assert ["inside"] == [made.name for made in told.spans]

    async def test_in_the_midst_of_a_request_harms_nobody(self, client, told):
        async with client.ws_connect("/talk") as socket:
            shutdown(timeout=0)
            await socket.send_str("hello")
            assert "hello" == await socket.receive_str()
