"""`@instrument`: every call of a function becomes a span."""

from __future__ import annotations

from functools import cached_property, update_wrapper

from .client import noted
from .recorder.cells import draw
from .recorder.generators import async_generator_wrapper, generator_wrapper
from .recorder.sites import Site
from .recorder.wrappers import wrapper_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType
    from typing import Any, TypeVar, overload

    from .recorder.cells import Cell

    F = TypeVar("F", bound=Callable[..., Any] | type)

_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x200
_NEVER = (
    "__init_subclass__",
    "__class_getitem__",
    "__getattr__",
    "__getattribute__",
    "__del__",
    "__repr__",
)

if TYPE_CHECKING:

    @overload
    def instrument(fn: F, /) -> F: ...
    @overload
    def instrument(
        fn: F,
        /,
        *,
        name: str | None = None,
        kind: str = "internal",
        attributes: Mapping[str, str] | None = None,
        record_args: bool | Sequence[str] = False,
        record_return: bool = False,
        metrics: bool = False,
        sample_rate: float | None = None,
    ) -> F: ...
    @overload
    def instrument(
        fn: str | None = None,
        /,
        *,
        name: str | None = None,
        kind: str = "internal",
        attributes: Mapping[str, str] | None = None,
        record_args: bool | Sequence[str] = False,
        record_return: bool = False,
        metrics: bool = False,
        sample_rate: float | None = None,
    ) -> Callable[[F], F]: ...


def instrument(fn: Any = None, /, **options: Any) -> Any:
    """Record every call of a function, coroutine, generator, async generator, of a class's
    methods, or of what is behind a property.

    `name` is the span's, by default the qualified name; it may be given alone, as in
    `@instrument("charge card")`. `kind` is OpenTelemetry's (`internal`, `server`, `client`,
    `producer`, `consumer`), `attributes` are the same for every call. `record_args` keeps all or
    the named arguments, `record_return` the result; both are scrubbed and bounded. `metrics` also
    folds the duration into a distribution `<name>.duration`, in seconds. `sample_rate` keeps a
    share of the calls (0 to 1) and counts the rest. Calls through the wrapper behave exactly as
    without it; what cannot be called is returned as it is, and counted in `stats().trouble`.
    """
    if isinstance(fn, str):
        fn, options = None, {"name": fn, **options}
    _check(options)
    if fn is None:
        return lambda decorated: _instrumented(decorated, options)
    return _instrumented(fn, options)


_OPTIONS = ("name", "kind", "attributes", "record_args", "record_return", "metrics", "sample_rate")


def _check(options: Mapping[str, Any]) -> None:
    """Refuse an unknown option where it is written: at import, not at the first call."""
    for option in options:
        if option not in _OPTIONS:
            message = f"instrument() has no option {option!r}; it has {', '.join(_OPTIONS)}"
            raise TypeError(message)


def _instrumented(target: Any, options: Mapping[str, Any]) -> Any:
    if isinstance(target, type):
        return _class(target, options)
    if isinstance(target, staticmethod | classmethod):
        return type(target)(_instrumented(target.__func__, options))
    if remade := _REMADE.get(type(target)):
        return remade(target, options)
    if not callable(target):
        noted("instrument", TypeError(f"cannot instrument a {type(target).__name__}"))
        return target
    site = Site(
        options.get("name") or _name_of(target),
        kind=options.get("kind", "internal"),
        attributes=_place_of(target),
        said=options.get("attributes"),
        metric=options.get("metrics", False),
    )
    return update_wrapper(_wrapper(target, site, options), target)


def _wrapper(target: Any, site: Site, options: Mapping[str, Any]) -> Callable[..., Any]:
    code = getattr(target, "__code__", None)
    if code is None or not hasattr(target, "__defaults__"):
        return _wrapper(_plain(target), site, options)
    if code.co_flags & _GENERATOR:
        return generator_wrapper(target, site)
    if code.co_flags & _ASYNC_GENERATOR:
        return async_generator_wrapper(target, site)
    return wrapper_of(
        target,
        site,
        record_args=_arguments(target, options.get("record_args", False)),
        record_return=options.get("record_return", False),
        skip=_skipping(options.get("sample_rate")),
    )


def _plain(target: Callable[..., Any]) -> FunctionType:
    """Make a function of something that is only callable: a partial, a built-in, an object."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return target(*args, **kwargs)

    return call  # type: ignore[return-value]


def _property(target: property, options: Mapping[str, Any]) -> property:
    """Make a property of the same functions, each of them instrumented."""
    prefix = options.get("name") or _name_of(target.fget or target.fset or target.fdel)
    parts = ((target.fget, prefix), (target.fset, f"{prefix}.set"), (target.fdel, f"{prefix}.del"))
    made = [fn and _instrumented(fn, {**options, "name": name}) for fn, name in parts]
    return property(made[0], made[1], made[2], target.__doc__)


def _cached_property(
    target: cached_property[Any], options: Mapping[str, Any]
) -> cached_property[Any]:
    """Make a cached property of the instrumented function: a span for each time it is computed."""
    made = cached_property(_instrumented(target.func, options))
    made.attrname, made.__doc__ = target.attrname, target.__doc__
    return made


_REMADE: dict[type, Callable[..., Any]] = {
    property: _property,
    cached_property: _cached_property,
}


def _class(owner: type, options: Mapping[str, Any]) -> type:
    """Instrument the public methods a class defines itself."""
    shared = {key: value for key, value in options.items() if key != "name"}
    prefix = options.get("name") or owner.__qualname__
    for name, member in list(vars(owner).items()):
        method = isinstance(member, staticmethod | classmethod) or hasattr(member, "__code__")
        if method and not name.startswith("_") and name not in _NEVER:
            setattr(owner, name, _instrumented(member, {**shared, "name": f"{prefix}.{name}"}))
    return owner


def _arguments(target: Any, wanted: Any) -> tuple[str, ...]:
    code = target.__code__
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if wanted is True:
        return tuple(name for name in named if name not in ("self", "cls"))
    return tuple(name for name in wanted or () if name in named)


def _skipping(rate: float | None) -> Callable[[Cell], bool] | None:
    if rate is None or rate >= 1:
        return None
    threshold = round(rate * (1 << 32))

    def skip(cell: Cell) -> bool:
        if draw(32) < threshold:
            return False
        cell.lane.wasted += 1
        return True

    return skip


def _name_of(target: Any) -> str:
    return getattr(target, "__qualname__", type(target).__qualname__).replace(".<locals>", "")


def _place_of(target: Any) -> dict[str, str]:
    module = getattr(target, "__module__", None) or ""
    return {"code.function.name": f"{module}.{_name_of(target)}"}
