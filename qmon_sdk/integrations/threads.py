"""Threads: one that is started inside of a span works inside of it, for the same user."""

from __future__ import annotations

from qmon_sdk.client import failed

from ._luggage import packed, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

POOLS = frozenset(("concurrent.futures.thread", "multiprocessing.pool"))
"""Modules whose threads work for many: what the first one was about says nothing of the next."""

_PACKED = "_qmon_packed"


class ThreadsIntegration:
    """Lets the place in the trace and the scope follow, and no other context variables."""

    def install(self, watch: Watch) -> None:
        """Stand at both ends of a start: in the thread that calls, and in the one that begins."""
        from threading import Thread

        watch.wrap(Thread, "start", _started)
        watch.wrap(Thread, "_bootstrap_inner", _begun)


def _started(start: Callable[..., None]) -> Callable[..., None]:
    def start_(self: Any) -> None:
        try:
            luggage = packed()
            if luggage is not None and not _is_of_a_pool(self):
                self.__dict__[_PACKED] = luggage
        except Exception as error:  # noqa: BLE001 - the guard, inside of somebody's call
            failed("threads", error)
        start(self)

    return start_


def _begun(bootstrap: Callable[..., None]) -> Callable[..., None]:
    def _bootstrap_inner(self: Any) -> None:
        luggage = self.__dict__.pop(_PACKED, None)
        if luggage is not None:
            unpack(luggage)
        bootstrap(self)

    return _bootstrap_inner


def _is_of_a_pool(thread: Any) -> bool:
    return getattr(getattr(thread, "_target", None), "__module__", None) in POOLS
