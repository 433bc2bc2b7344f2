"""Bodies posted over a few kept connections, as often as it takes: `429` and `503` come again."""

from __future__ import annotations

import http.client
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

CONNECTIONS = 4
PATIENCE_S = 60
_LATER = {429, 503}


def post_all(url, bodies, headers, *, connections=CONNECTIONS):
    """Send every body until it is taken; gives how often the answer was `later`."""
    turns = iter(bodies)
    with ThreadPoolExecutor(connections) as pool:
        later = pool.map(lambda _: _post_from(url, turns, headers), range(connections))
        return {"later": sum(later)}


def _post_from(url, turns, headers):
    where = urlsplit(url)
    link = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE_S)
    path = f"{where.path}?{where.query}" if where.query else where.path
    # `next` of a list's iterator is one step of the interpreter: threads may share it.
    later = sum(_post(link, path, (body, headers)) for body in turns)
    link.close()
    return later


def _post(link, path, content):
    deadline = time.monotonic() + PATIENCE_S
    for tries in itertools.count():
        link.request("POST", path, *content)
        answer = link.getresponse()
        said = answer.read()
        if answer.status < 300:
            return tries
        if answer.status not in _LATER or time.monotonic() > deadline:
            raise RuntimeError(f"{answer.status}: {said[:300]!r}")
        time.sleep(float(answer.headers.get("Retry-After", "0.1")))
    return 0
