"""Generators as spans: open from the first step to the last, current only while the body runs."""

from __future__ import annotations

from time import perf_counter_ns

from .cells import CELL, here
from .endings import failed, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any, Self

    from .cells import Cell
    from .sites import Site


class _Stay:
    """The place inside a generator's span: entered for every step, left at every `yield`."""

    __slots__ = ("_inner", "_outer", "_parent", "_site", "_started")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._inner: Cell | None = None
        outer = here()
        identity = next(outer.ids, 0) if outer is not None else 0
        if outer is None or not identity:
            return
        self._parent = outer.span
        self._inner = outer.child(identity)
        if not outer.span:
            self._inner.begin_trace(site.name)
        self._started = perf_counter_ns()
        self._inner.open(site, self._parent, self._started)

    def __enter__(self) -> Self:
        self._outer = CELL.get()
        if self._inner is not None:
            CELL.set(self._inner)
        return self

    def __exit__(self, *_: object) -> None:
        if self._inner is not None and CELL.get() is self._inner:
            CELL.set(self._outer)

    def end(self, error: BaseException | None = None) -> None:
        inner = self._inner
        if inner is None:
            return
        took = perf_counter_ns() - self._started
        if error is None:
            told(inner, self._site, self._parent, self._started, took, None)
        else:
            failed(inner, self._site, self._parent, self._started, took, None, error)
        inner.close()


def generator_wrapper(
    fn: Callable[..., Generator[Any, Any, Any]], site: Site
) -> Callable[..., Any]:
    """Wrap a generator function; values, `send`, `throw`, `close` and the result pass through."""

    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        source = fn(*args, **kwargs)
        stay = _Stay(site)
        step, given = source.send, None
        try:
            while True:
                with stay:
                    item = step(given)
                try:
                    given = yield item
                    step = source.send
                except GeneratorExit:
                    source.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the generator's to see
                    step, given = source.throw, error
        except StopIteration as stop:
            stay.end()
            return stop.value
        except BaseException as error:
            stay.end(error)
            raise

    return wrapper


def async_generator_wrapper(
    fn: Callable[..., AsyncGenerator[Any, Any]], site: Site
) -> Callable[..., Any]:
    """Wrap an async generator function; `asend`, `athrow` and `aclose` pass through."""

    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        source = fn(*args, **kwargs)
        stay = _Stay(site)
        step, given = source.asend, None
        try:
            while True:
                with stay:
                    item = await step(given)
                try:
                    given = yield item
                    step = source.asend
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the generator's to see
                    step, given = source.athrow, error
        except StopAsyncIteration:
            stay.end()
        except BaseException as error:
            stay.end(error)
            raise

    return wrapper
