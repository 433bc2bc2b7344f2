"""Starlette and FastAPI, for real: routes, mounts, threads, errors, websockets, uvicorn."""

from __future__ import annotations

import asyncio
import socket

import fastapi
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from qmon_sdk.context import SCOPE, set_user
from qmon_sdk.spans import span
from qmon_sdk.start import shutdown, stats


@pytest.fixture
def watched(told):
    return told.begin(integrations=("fastapi",))


async def order(request):
    return PlainTextResponse(f"order {request.path_params['number']}")


async def bug(request):
    raise ValueError(request.path_params["word"])


async def busy(request):
    raise HTTPException(503)


async def chat(websocket):
    await websocket.accept()
    await websocket.close()


def a_shop(**options):
    inner = [Route("/orders/{number:int}", order, methods=["GET"]), Route("/bug/{word}", bug)]
    routes = [*inner, Route("/busy", busy), Mount("/tenants/{tenant}", routes=inner)]
    return Starlette(routes=[*routes, WebSocketRoute("/chat/{room}", chat)], **options)


async def get(app, path):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.get(path)


class TestStarlette:
    async def test_names_a_request_by_its_route(self, watched):
        assert "order 7" == (await get(a_shop(), "/orders/7")).text

        found = watched.span("GET /orders/{number:int}")
        assert ("server", "unset") == (found.kind, found.status)
        assert "/orders/7" == found.attributes["url.path"]

    async def test_puts_mounts_before_the_route_as_templates(self, watched):
        await get(a_shop(), "/tenants/acme/orders/7")

        assert ["GET /tenants/{tenant}/orders/{number:int}"] == [s.name for s in watched.spans]

    async def test_names_what_no_route_takes_by_its_method(self, watched):
        assert 404 == (await get(a_shop(), "/wp-admin/7")).status_code

        assert ["GET"] == [found.name for found in watched.spans]

    async def test_keeps_an_error_nobody_handled(self, watched):
        assert 500 == (await get(a_shop(), "/bug/planted")).status_code

        (error,) = watched.all("error")
        assert ("ValueError", "planted", False) == (error.type, error.message, error.handled)
        assert "/bug/{word}" == error.attributes["http.route"]

    async def test_keeps_an_error_behind_a_page_for_500(self, watched):
        async def sorry(request, error):
            return PlainTextResponse("sorry", 500)

        assert "sorry" == (await get(a_shop(exception_handlers={500: sorry}), "/bug/planted")).text
        assert ["ValueError"] == [error.type for error in watched.all("error")]

    async def test_keeps_a_handled_error_only_if_the_answer_is_a_failure(self, watched):
        def answer(request, error):
            return PlainTextResponse("sorry", 502 if str(error) == "upstream" else 404)

        shop = a_shop(exception_handlers={ValueError: answer})
        answers = [await get(shop, f"/bug/{word}") for word in ("gone", "upstream")]
        assert [404, 502] == [answer.status_code for answer in answers]
        (error,) = watched.all("error")
        assert ("upstream", True) == (error.message, error.handled)
        assert "bug" in error.stack

    async def test_keeps_a_5xx_that_was_raised_as_an_answer(self, watched):
        await get(a_shop(), "/busy")

        assert ["HTTPException"] == [error.type for error in watched.all("error")]

    async def test_watches_websockets(self, watched):
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message["type"])

        scope = {"type": "websocket", "scheme": "ws", "path": "/chat/7", "headers": []}
        await a_shop()(scope, receive, send)
        assert ["websocket.accept", "websocket.close"] == sent

        found = watched.span("WEBSOCKET /chat/{room}")
        assert "101" == found.attributes["http.response.status_code"]


@pytest.fixture
def api():
    app, items, deeper = fastapi.FastAPI(), fastapi.APIRouter(), fastapi.APIRouter(prefix="/v1")

    @items.get("/{item_id}")
    def item(item_id: int):
        set_user({"id": f"user-{item_id}"})
        if item_id == 0:
            raise LookupError("no item 0")
        return {"id": item_id}

    @app.get("/ping")
    async def ping():
        return "pong"

    deeper.include_router(items, prefix="/items")
    app.include_router(deeper, prefix="/api")
    return app


class TestBackgroundTasks:
    async def test_are_inside_of_their_request(self, watched):
        async def later():
            with span("later"):
                pass

        async def home(request):
            return PlainTextResponse("hello", background=BackgroundTask(later))

        await get(Starlette(routes=[Route("/", home)]), "/")

        request = watched.span("GET /")
        assert request.span_id == watched.span("later").parent_id
        assert request.attributes["code.function.name"].endswith("home")

    async def test_that_fail_are_errors_of_their_request(self, watched):
        def later():
            raise LookupError("too late")

        async def home(request):
            return PlainTextResponse("hello", background=BackgroundTask(later))

        await get(Starlette(routes=[Route("/", home)]), "/")

        assert "LookupError" == watched.all("error")[0].type
        assert ("error", "200") == (
            watched.span("GET /").status,
            watched.span("GET /").attributes["http.response.status_code"],
        )


class TestFastAPI:
    async def test_names_a_request_by_its_whole_route(self, watched, api):
        assert {"id": 7} == (await get(api, "/api/v1/items/7")).json()
        await get(api, "/ping")

        names = [found.name for found in watched.spans]
        assert ["GET /api/v1/items/{item_id}", "GET /ping"] == names

    async def test_is_no_failure_when_the_caller_is_wrong(self, watched, api):
        assert 422 == (await get(api, "/api/v1/items/seven")).status_code

        assert [] == watched.all("error")
        assert "unset" == watched.span("GET /api/v1/items/{item_id}").status

    async def test_keeps_the_error_of_an_endpoint_in_a_thread(self, watched, api):
        await get(api, "/api/v1/items/0")

        (error,) = watched.all("error")
        assert ("LookupError", False, "user-0") == (error.type, error.handled, error.user_id)
        assert "/api/v1/items/{item_id}" == error.attributes["http.route"]
        assert "user-0" == watched.span("GET /api/v1/items/{item_id}").user_id

    async def test_under_a_mount_keeps_the_mount(self, watched, api):
        await get(Starlette(routes=[Mount("/shop", app=api)]), "/shop/api/v1/items/7")

        assert ["GET /shop/api/v1/items/{item_id}"] == [found.name for found in watched.spans]


class TestTasks:
    async def test_that_answer_a_request_say_whose_it_is(self, watched):
        app = fastapi.FastAPI()

        @app.middleware("http")  # runs the rest of the application in a task of its own
        async def untouched(request, call_next):
            return await call_next(request)

        @app.get("/bug/{user}")
        async def bug(user: str):
            set_user({"id": user})
            raise LookupError(user)

        await asyncio.gather(*(get(app, f"/bug/u{n}") for n in range(5)))

        expected = {f"u{n}" for n in range(5)}
        assert expected == {span.user_id for span in watched.spans}
        assert [e.message for e in watched.all("error")] == [
            e.user_id for e in watched.all("error")
        ]
        assert "" == SCOPE.get().user_id


class TestUvicorn:
    async def test_serves_concurrent_requests_and_streams(self, watched):
        async def stream(request):
            return StreamingResponse(f"{n}," for n in range(3))

        app = Starlette(routes=[Route("/orders/{number}", order), Route("/stream", stream)])
        async with Serving(app) as client:
            paths = [*(f"/orders/{n}" for n in range(20)), "/stream"]
            answers = await asyncio.gather(*(client.get(path) for path in paths))

        assert ["order 0", "0,1,2,"] == [answers[0].text, answers[-1].text]
        orders = [found for found in watched.spans if found.name == "GET /orders/{number}"]
        assert {f"/orders/{n}" for n in range(20)} == {s.attributes["url.path"] for s in orders}
        assert "200" == watched.span("GET /stream").attributes["http.response.status_code"]


class Serving:
    """A uvicorn on loopback for the time of a block, and a client to ask it."""

    def __init__(self, app):
        self.socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        self.server = uvicorn.Server(config)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.server.serve(sockets=[self.socket]))
        port = self.socket.getsockname()[1]
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")
        return self.client

    async def __aexit__(self, *_):
        await self.client.aclose()
        self.server.should_exit = True
        await self.task
        self.socket.close()


class TestRemoval:
    async def test_leaves_starlette_as_it_was(self, told):
        before = Starlette.__call__, Route.handle, fastapi.routing.APIRoute.handle
        told.begin(integrations=("fastapi",))
        assert {"fastapi": "watching", "starlette": "watching"} == stats().integrations
        app = a_shop()
        await get(app, "/orders/7")

        shutdown(timeout=0)
        assert before == (Starlette.__call__, Route.handle, fastapi.routing.APIRoute.handle)
        assert "order 7" == (await get(app, "/orders/7")).text
