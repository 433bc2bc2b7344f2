"""Serves the shop until its standard input ends, then tells the SDK's books as a JSON line."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading

from werkzeug.serving import ThreadedWSGIServer

import qmon_sdk as qmon
from qmon_agent.cli.demo_shop.shop import create_shop

_FLUSH_S = 10.0


def main() -> None:
    """Say the port, serve, and account for everything at the end."""
    # Ctrl-C is for the demo, which then ends this process in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    qmon.init(service="shop", release="1.0", environment="demo")
    server = ThreadedWSGIServer("127.0.0.1", 0, create_shop())
    server.daemon_threads = False  # so that closing waits for the requests being answered
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    _tell(port=server.server_port)
    sys.stdin.read()
    server.shutdown()
    serving.join()
    server.server_close()
    flushed = qmon.flush(_FLUSH_S)
    books = qmon.stats()
    _tell(flushed=flushed, captured=books.captured, dropped=books.dropped, trouble=books.trouble)
    qmon.shutdown()


def _tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
