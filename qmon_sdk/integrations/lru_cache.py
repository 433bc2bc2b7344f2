"""`functools.lru_cache`, of the functions that the application names: hits, misses and size.

```python
from qmon_sdk.integrations.lru_cache import watch_cache

@watch_cache
@lru_cache(maxsize=1000)
def price_of(article): ...
```

Calls cost nothing more than before: the cache counts anyway, and is asked when metrics are sent.
"""

from __future__ import annotations

import os
from weakref import ref

from qmon_sdk.client import current, failed
from qmon_sdk.fold import POLLED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._watch import Watch

    F = TypeVar("F", bound=Callable[..., Any])

SYSTEM = "lru_cache"
MOST = 1000
"""Caches that are asked; those of further names are not."""


class LruCacheIntegration:
    """Asks the caches that `watch_cache` was told of, whenever metrics are sent."""

    def install(self, watch: Watch) -> None:
        """Begin to count from here on."""
        for cache in _watched.values():
            cache.begin()
        POLLED.append(_ask)
        watch.undo_by(lambda: POLLED.remove(_ask))
        current().metrics.wake_for_polls()


def watch_cache(fn: F | None = None, /, *, name: str = "") -> Any:
    """Have a cache's hits, misses and size told as metrics; returns the function as it is.

    A decorator above `lru_cache`, with or without `name`, or a call at any time. The name is that
    of the function, with its module, unless another is given; of two with one name, the last
    counts. Anything with a `cache_info()` like that of `functools` will do.
    """
    if fn is None:
        return lambda function: watch_cache(function, name=name)
    try:
        _add(fn, name or f"{fn.__module__}.{fn.__qualname__}")
    except Exception as error:  # noqa: BLE001 - the guard: a decorator of the application's
        failed("watch_cache", error)
    return fn


def _add(fn: Callable[..., Any], name: str) -> None:
    cache = _Cache(fn, name)
    if name in _watched or len(_watched) < MOST:
        _watched[name] = cache
        if _ask in POLLED:
            current().metrics.wake_for_polls()


class _Cache:
    """One cache, and what was told of it."""

    def __init__(self, fn: Any, name: str) -> None:
        self._info = ref(fn)
        self._about = {"cache.system": SYSTEM, "cache.name": name}
        self.begin()

    def begin(self) -> None:
        """Count from here on."""
        function = self._info()
        info = function.cache_info() if function is not None else None
        self._told = (info.hits, info.misses, -1) if info is not None else (0, 0, -1)

    def tell(self) -> bool:
        """Tell what has changed; `False` when the cache is gone."""
        function = self._info()
        if function is None:
            return False
        info = function.cache_info()
        before, now = self._told, (info.hits, info.misses, info.currsize)
        if now != before:
            self._told = now
            self._count("hits", before[0], info.hits)
            self._count("misses", before[1], info.misses)
            self._gauge("size", info.currsize)
            self._gauge("max_size", info.maxsize)
        return True

    def _count(self, what: str, before: int, now: int) -> None:
        grown = now - before if now >= before else now  # else it was cleared
        if grown:
            current().metrics.count(f"cache.{what}", grown, unit=None, attributes=self._about)

    def _gauge(self, what: str, value: int | None) -> None:
        if value is not None:
            current().metrics.gauge(f"cache.{what}", value, unit=None, attributes=self._about)


_watched: dict[str, _Cache] = {}
_pid = [os.getpid()]


def _ask(*, now: bool) -> None:  # noqa: ARG001 - it costs so little that it may always be asked
    if _pid[0] != os.getpid():  # what was there at the fork is the parent's to tell
        _pid[0] = os.getpid()
        for cache in _watched.values():
            cache.begin()
    for name, cache in list(_watched.items()):
        if not cache.tell() and _watched.get(name) is cache:
            del _watched[name]
