"""The functions of a library with a span around each of their calls."""

from __future__ import annotations

from qmon_sdk.client import failed

from ._openings import abandoned, closed, opened, opened_aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any

    from qmon_sdk.recorder.sites import Site

    from ._openings import Extra, Opened
    from ._sites import Pair, Said

    Function = Callable[..., Any]
    SiteOf = Callable[[Any, tuple[Any, ...], dict[str, Any]], Site | Said | None]
    """Say what the span of a call is, from its first argument and the others; `None` for none."""
    Outcome = Callable[[Any, Any, tuple[Any, ...]], Extra | Pair]
    """Say more about a call from its first argument, its result, and the other arguments; a single
    thing of few values, as a pair."""


def _nothing(*_: Any) -> None:
    return None


def code_of(error: BaseException) -> Extra:
    """Find what the other side calls an error: an SQLSTATE, or a name like it."""
    for name in ("sqlstate", "pgcode", "sqlite_errorname"):
        code = getattr(error, name, None)
        if isinstance(code, str) and code:
            return {"db.response.status_code": code}
    return None


class Calls:
    """How the functions of one kind are watched: what their spans are, and what comes of them.

    `site_of` and `outcome` are ours and guarded; what a call raises is noted and passes through.
    """

    def __init__(
        self,
        site_of: SiteOf,
        outcome: Outcome | None = None,
        *,
        code: Callable[..., Extra | Pair] = code_of,
    ) -> None:
        self._site_of = site_of
        self._outcome = outcome
        self._code = code

    def begin(
        self, of: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, aside: bool = False
    ) -> Opened | None:
        """Open the span of a call, if it is to have one: around what follows, or aside."""
        try:
            what = self._site_of(of, args, kwargs)
            if what is None:
                return None
            return opened_aside(what) if aside else opened(what)
        except Exception as problem:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("integration", problem)
            return None

    def end(  # noqa: PLR0917 - the hot path
        self, opening: Opened, of: Any, result: Any, args: tuple[Any, ...]
    ) -> None:
        """Close the span of a call that returned."""
        try:
            outcome = self._outcome
            closed(opening, None if outcome is None else outcome(of, result, args))
        except Exception as problem:  # noqa: BLE001 - the guard
            abandoned(opening, problem)

    def fail(self, opening: Opened, error: BaseException) -> None:
        """Close the span of a call that raised."""
        try:
            extra = self._code(error)
        except Exception:  # noqa: BLE001 - an error may answer in any way
            extra = None
        closed(opening, extra, error)

    def sync(self, original: Function) -> Function:
        """Watch a function: what `begin` and `end` do, without the price of their calls."""
        site_of, outcome, fail = self._site_of, self._outcome or _nothing, self.fail

        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                what = site_of(self, args, kwargs)
                opening = None if what is None else opened(what)
            except Exception as problem:  # noqa: BLE001 - the guard
                failed("integration", problem)
                opening = None
            if opening is None:
                return original(self, *args, **kwargs)
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                fail(opening, error)
                raise
            try:
                closed(opening, outcome(self, result, args))
            except Exception as problem:  # noqa: BLE001 - the guard
                abandoned(opening, problem)
            return result

        return call

    def coroutine(self, original: Function) -> Function:
        """Watch a coroutine function."""
        begin, end, fail = self.begin, self.end, self.fail

        async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            opening = begin(self, args, kwargs)
            if opening is None:
                return await original(self, *args, **kwargs)
            try:
                result = await original(self, *args, **kwargs)
            except BaseException as error:
                fail(opening, error)
                raise
            end(opening, self, result, args)
            return result

        return call

    def generator(self, original: Function) -> Function:
        """Watch a generator function, from its first item to its last."""

        def call(of: Any, *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            opening = self.begin(of, args, kwargs, aside=True)
            try:
                result = yield from original(of, *args, **kwargs)
            except BaseException as error:
                self._give_up(opening, error)
                raise
            if opening is not None:
                self.end(opening, of, result, args)
            return result

        return call

    def async_generator(self, original: Function) -> Function:
        """Watch an asynchronous generator function that is only iterated over."""

        async def call(of: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            opening = self.begin(of, args, kwargs, aside=True)
            items = original(of, *args, **kwargs)
            try:
                async for item in items:
                    yield item
            except BaseException as error:
                self._give_up(opening, error)
                raise
            finally:
                await items.aclose()
            if opening is not None:
                self.end(opening, of, None, args)

        return call

    def block(self, original: Function) -> Function:
        """Watch a function that returns a context manager, plain or asynchronous."""

        def call(of: Any, *args: Any, **kwargs: Any) -> Block:
            return Block(self, original(of, *args, **kwargs), (of, args, kwargs))

        return call

    def _give_up(self, opening: Opened | None, error: BaseException) -> None:
        if opening is None:
            return
        if isinstance(error, GeneratorExit):  # the reader has had enough, which is no error
            closed(opening)
        else:
            self.fail(opening, error)


class Block:
    """A context manager of a library with its span around it."""

    def __init__(
        self, calls: Calls, inner: Any, called: tuple[Any, tuple[Any, ...], dict[str, Any]]
    ) -> None:
        self._calls, self._inner, self._called = calls, inner, called
        self._opening: Opened | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __enter__(self) -> Any:
        self._opening = self._calls.begin(*self._called)
        try:
            return self._inner.__enter__()
        except BaseException as error:
            self._end(error)
            raise

    def __exit__(self, *raised: object) -> Any:
        try:
            swallowed = self._inner.__exit__(*raised)
        except BaseException as error:
            self._end(error)
            raise
        self._end(raised[1])
        return swallowed

    async def __aenter__(self) -> Any:
        self._opening = self._calls.begin(*self._called)
        try:
            return await self._inner.__aenter__()
        except BaseException as error:
            self._end(error)
            raise

    async def __aexit__(self, *raised: object) -> Any:
        try:
            swallowed = await self._inner.__aexit__(*raised)
        except BaseException as error:
            self._end(error)
            raise
        self._end(raised[1])
        return swallowed

    def _end(self, error: object) -> None:
        opening, self._opening = self._opening, None
        if opening is None:
            return
        if isinstance(error, BaseException):
            self._calls.fail(opening, error)
        else:
            self._calls.end(opening, self._called[0], None, self._called[1])
