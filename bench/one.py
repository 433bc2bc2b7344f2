"""One measurement in a process of its own: `python -m bench.one CASE PEER PORT` prints one number.

All CPU of the process is counted, threads included, from the first call to the end of the flush.
Everybody is flushed after `BURST` × `BURSTS` items, fewer than the smallest queue among the peers
holds, so that nobody wins by dropping.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from .peers import peer

BURST = 500  # spans of one transaction: some keep 1,000 at most
BURSTS = 4  # between two flushes: some queue 2,048 at most
ERRORS = 80  # between two flushes: some queue 100 at most


def call(name, port, bursts):
    """Nanoseconds of CPU of one instrumented call, inside of a request; bare calls included."""
    them = peer(name)
    them.begin(port)
    work = them.called()

    def run():
        for n in range(BURST):
            work(n)

    def requests():
        for _ in range(BURSTS):
            them.inside(run)

    return _cpu(requests, them.flush, bursts) / (BURST * BURSTS)


def otel_span(name, port, bursts):
    """Nanoseconds of CPU of one span through OpenTelemetry's API, inside of another."""
    them = peer(name)
    them.begin(port)
    block = them.otel_block()

    def run():
        for _ in range(BURST):
            with block("work"):
                pass

    return _blocks(them, run, bursts)


def otel_attributes(name, port, bursts):
    """Nanoseconds of CPU of the same with three attributes, one of them always another."""
    them = peer(name)
    them.begin(port)
    block = them.otel_block()

    def run():
        for n in range(BURST):
            with block("work", attributes={"item": n, "plan": "pro", "share": 0.5}):
                pass

    return _blocks(them, run, bursts)


def _blocks(them, run, bursts):
    def requests():
        for _ in range(BURSTS):
            with them.otel_block()("request"):
                run()

    return _cpu(requests, them.flush, bursts) / (BURST * BURSTS)


def exception(name, port, bursts):
    """Nanoseconds of CPU of reporting an exception of ten frames that was seen before."""
    them = peer(name)
    them.begin(port)

    def sink_in(depth):
        if depth:
            return sink_in(depth - 1)
        order, user = {"id": 17, "items": ["a", "b"]}, "ada"
        raise LookupError(f"no such order: {order['id']} {user}")

    def once():
        for _ in range(ERRORS):
            try:
                sink_in(9)
            except LookupError as error:
                them.caught(error)

    return _cpu(once, them.flush, bursts) / ERRORS


def asgi(name, port, bursts):
    """Nanoseconds of CPU of one small ASGI request; the application itself included."""
    them = peer(name)
    them.begin(port)

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
        for _ in range(BURST * BURSTS):
            await watched(dict(scope), receive, send)

    loop = asyncio.new_event_loop()
    spent = _cpu(lambda: loop.run_until_complete(run()), them.flush, bursts) / (BURST * BURSTS)
    loop.close()
    return spent


def start(name, port, _):
    """Nanoseconds of wall clock from bare Python to "recording": import and init."""
    begun = time.perf_counter_ns()
    peer(name).begin(port)
    return time.perf_counter_ns() - begun


def memory(name, port, _):
    """Bytes of resident memory that import and init add."""
    before = _resident()
    peer(name).begin(port)
    return _resident() - before


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cpu(run, flush, bursts):
    run()
    flush()
    begun = time.process_time_ns()
    for _ in range(bursts):
        run()
        flush()
    return (time.process_time_ns() - begun) / bursts


CASES = {case.__name__: case for case in (call, exception, asgi, start, memory)}
CASES |= {"otel-api span": otel_span, "otel-api span, 3 attributes": otel_attributes}

if __name__ == "__main__":
    case, name, port, bursts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    value = CASES[case](name, port, bursts)
    books = getattr(peer(name), "books", dict)()
    print(json.dumps({"value": value, "books": books}), flush=True)
    os._exit(0)  # how long a peer takes to leave is not what is measured here
