"""A context manager around every call of a function, of whatever kind the function is."""

from __future__ import annotations

from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from contextlib import AbstractContextManager
    from typing import Any, TypeVar

    Opening = Callable[[], AbstractContextManager[Any]]
    F = TypeVar("F", bound=Callable[..., Any])

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # of `co_flags`, see `inspect`


def around(function: F, opening: Opening) -> F:
    """Wrap a function so that each call runs inside what `opening()` makes.

    Generators are inside from their first item to their last; coroutines until they return.
    """
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    flags = getattr(code, "co_flags", 0)
    for flag, wrapper in _WRAPPERS.items():
        if flags & flag:
            return wraps(function)(wrapper(function, opening))  # type: ignore[return-value]
    return wraps(function)(_plain(function, opening))  # type: ignore[return-value]


def _plain(function: Callable[..., Any], opening: Opening) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with opening():
            return function(*args, **kwargs)

    return call


def _coroutine(
    function: Callable[..., Coroutine[Any, Any, Any]], opening: Opening
) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with opening():
            return await function(*args, **kwargs)

    return call


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], opening: Opening
) -> Callable[..., Generator[Any, Any, Any]]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with opening():
            return (yield from function(*args, **kwargs))

    return call


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], opening: Opening
) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with opening():
            inner = function(*args, **kwargs)
            step = anext(inner)
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    step = inner.asend((yield item))
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on, as `yield from` does
                    step = inner.athrow(error)

    return call


_WRAPPERS: dict[int, Callable[[Any, Opening], Callable[..., Any]]] = {
    _GENERATOR: _generator,
    _COROUTINE: _coroutine,
    _ASYNC_GENERATOR: _async_generator,
}
