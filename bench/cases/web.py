"""Small requests, by ASGI and by WSGI."""

from __future__ import annotations

import asyncio
import io

from . import BURST, BURSTS, begun, cpu, each_of

REQUESTS = BURST * BURSTS
CALLS = 100


@each_of(REQUESTS)
def asgi(them):
    """Nanoseconds of CPU of one small ASGI request; the application itself included."""

    async def application(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    watched = them.asgi(application)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/cart/17", "raw_path": b"/cart/17", "query_string": b"page=2",
        "root_path": "", "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"bench")],
        "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8000),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_):
        return None

    async def run():
        for _ in range(REQUESTS):
            await watched(dict(scope), receive, send)

    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(run())


@each_of(REQUESTS)
def wsgi(them):
    """Nanoseconds of CPU of one small WSGI request; the application itself included."""

    def application(_environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    watched = them.wsgi(application)
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/cart/17",
        "QUERY_STRING": "page=2", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "bench", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False,
    }  # fmt: skip

    def start_response(_status, _headers, _error=None):
        return None

    def run():
        for _ in range(REQUESTS):
            body = watched(dict(environ), start_response)
            for _ in body:
                pass
            getattr(body, "close", int)()

    return run


def client(name, port, bursts):
    """Nanoseconds of CPU of one request by `requests` over a kept connection, the client's own."""
    import requests

    them = begun(name, port)
    them.clients()
    url = f"http://127.0.0.1:{port}/prices?page=2"
    with requests.Session() as session:

        def ask():
            for _ in range(CALLS):
                session.get(url, timeout=10)

        return cpu(lambda: them.inside(ask), them.flush, bursts) / CALLS
