"""Wrappers whose spans begin and end in C: what `wrappers` makes, where there is the accelerator.

A plain function is wrapped by an object of C that is called like it. Coroutine functions, and
calls of which more is kept than arguments given by their place, get a compiled wrapper that asks C
for a *stay* and ends it.
"""

from __future__ import annotations

from qmon_sdk.accelerator import speedups
from qmon_sdk.client import current
from qmon_sdk.client import failed as count_failure
from qmon_sdk.context import SCOPE, Scope

from .cells import CELL, Cell, adopt, draw
from .endings import failed, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any

    from .sites import Site

ACCELERATED = """def {name}({parameters}):
    _q_stay = _q_enter()
    if _q_stay is None:
        {pass_through}
    {arguments_kept}
    try:
        _q_result = AWAIT _q_call({arguments})
    except BaseException as _q_error:
        _q_stay.fail({early}, _q_error)
        raise
    _q_stay.end({extra})
    return _q_result
"""

_VARIABLE = 0x04 | 0x08  # flags of `*args` and `**kwargs`
_MOST_KEPT = 15
_MOST_PLACES = 250
_NEVER = ("__new__", "__init_subclass__", "__class_getitem__")
# Methods that a class makes static or class methods of, but only if they are plain functions.


def is_wrapped_in_c(fn: FunctionType) -> bool:
    """Say whether a function may be wrapped by something that is no plain function."""
    return speedups is not None and fn.__name__ not in _NEVER


def wrapped_in_c(
    fn: FunctionType, site: Site, skip: Callable[[Any], bool] | None
) -> Callable[..., Any]:
    """Wrap a plain function, of which nothing is kept."""
    made: Callable[..., Any] = speedups.Wrapper(fn, site, skip=skip)
    return made


def wrapped_keeping(
    fn: FunctionType,
    otherwise: FunctionType,
    *,
    site: Site,
    skip: Callable[[Any], bool] | None,
    kept: tuple[str, ...],
) -> Callable[..., Any]:
    """Wrap a plain function whose arguments are kept, `otherwise` being for calls that name some.

    Answers `otherwise` itself where arguments are not all given by their place.
    """
    code = fn.__code__
    positional = code.co_varnames[: code.co_argcount]
    kept = tuple(dict.fromkeys(kept))
    if (
        not is_wrapped_in_c(fn)
        or code.co_flags & _VARIABLE
        or code.co_kwonlyargcount
        or len(kept) > _MOST_KEPT
        or len(positional) > _MOST_PLACES
        or not {*kept} <= {*positional}
    ):
        return otherwise
    otherwise.__name__, otherwise.__qualname__ = fn.__name__, fn.__qualname__
    places = tuple(map(positional.index, kept))
    made: Callable[..., Any] = speedups.Wrapper(
        fn, site, skip=skip, kept=(kept, places, len(positional), otherwise)
    )
    return made


def names_in_c(site: Site, skip: Callable[[Any], bool] | None, *, waits: bool) -> dict[str, Any]:
    """Say what the names in `ACCELERATED` stand for; nothing without the accelerator."""
    if speedups is None:
        return {}
    return {"_q_enter": speedups.Entrance(site, skip=skip, waits=waits)}


def _forked() -> None:
    """Become a process of its own: called by the first span after a fork, whoever forked."""
    recorder = current().recorder
    if recorder is not None:
        recorder.wake_up()


if speedups is not None:
    speedups.join(
        cell=CELL,
        scope=SCOPE,
        cell_type=Cell,
        who_place=[field.name for field in Scope.FIELDS].index("who"),
        adopt=adopt,
        draw=draw,
        told=told,
        failed=failed,
        trouble=count_failure,
        forked=_forked,
    )
