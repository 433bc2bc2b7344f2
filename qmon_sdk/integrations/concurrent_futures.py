"""Thread pools: what is submitted inside of a span works inside of it, for the same user."""

from __future__ import annotations

from ._luggage import packed, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

_PACKED = "_qmon_packed"


class ConcurrentFuturesIntegration:
    """Watches `ThreadPoolExecutor`, and with it `run_in_executor`; no pools of processes."""

    def install(self, watch: Watch) -> None:
        """Stand around the items of work, not the functions: their tracebacks stay as they are."""
        from concurrent.futures.thread import _WorkItem

        watch.after(_WorkItem, "__init__", _submitted)
        watch.wrap(_WorkItem, "run", _running)


def _submitted(_: None, item: Any, *__: Any, **___: Any) -> None:
    luggage = packed()
    if luggage is not None:
        item.__dict__[_PACKED] = luggage


def _running(run: Callable[..., None]) -> Callable[..., None]:
    def run_(self: Any, *args: Any) -> None:
        luggage = self.__dict__.pop(_PACKED, None)
        if luggage is None:
            run(self, *args)
            return
        before = unpack(luggage)
        try:
            run(self, *args)
        finally:
            unpack(before)

    return run_
