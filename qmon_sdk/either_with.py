"""Blocks that are the same by `with` and by `async with`: nothing in them waits for anything."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Protocol, TypeVar

    Inside_co = TypeVar("Inside_co", covariant=True)

    class Block(Protocol[Inside_co]):
        """What a `with` statement uses."""

        def __enter__(self) -> Inside_co: ...
        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
            /,
        ) -> None: ...


class EitherWith:
    """Takes part in `async with` by what it does in `with`."""

    __slots__ = ()

    async def __aenter__(self: Block[Inside_co]) -> Inside_co:
        """Enter as `with` does."""
        return self.__enter__()

    async def __aexit__(
        self: Block[Inside_co],
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave as `with` does."""
        self.__exit__(kind, error, trace)
