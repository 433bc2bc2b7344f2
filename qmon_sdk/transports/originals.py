"""Locks, threads and sleep as the system gives them, however gevent or eventlet patched them.

What another thread of ours waits for must not be a greenlet: it would wait for a loop that may
never turn again. Sockets need no such care here: `_socket` is what the patchers leave alone.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def original(module: str, name: str) -> Any:
    """The function `name` of a module, from before anybody patched it."""
    if gevent := sys.modules.get("gevent.monkey"):
        return gevent.get_original(module, name)
    if eventlet := sys.modules.get("eventlet.patcher"):
        return getattr(eventlet.original(module), name)
    return getattr(__import__(module), name)


allocate_lock = original("_thread", "allocate_lock")
get_ident = original("_thread", "get_ident")
start_new_thread = original("_thread", "start_new_thread")
sleep = original("time", "sleep")
