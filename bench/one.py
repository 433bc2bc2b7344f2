"""One measurement in a process of its own: `python -m bench.one CASE PEER PORT BURSTS`.

Prints the number, and what became of everything that was recorded, as one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys

from .cases import beginning, errors, numbers, spans, web
from .peers import peer

CASES = {
    case.__name__: case
    for case in (
        spans.call,
        spans.attributes,
        spans.coroutine,
        spans.otel_span,
        spans.otel_attributes,
        numbers.counter,
        numbers.bound,
        numbers.event,
        errors.full,
        errors.seen,
        web.asgi,
        web.wsgi,
        web.client,
        beginning.start,
        beginning.memory,
        beginning.working,
    )
}

if __name__ == "__main__":
    case, name, port, bursts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    value = CASES[case](name, port, bursts)
    books = getattr(peer(name), "books", dict)()
    print(json.dumps({"value": value, "books": books}), flush=True)
    os._exit(0)  # how long a peer takes to leave is not what is measured here
