"""Wrappers compiled for one function each, with exactly its signature.

A wrapper that takes `*args, **kwargs` costs three times as much as one that repeats the signature,
so the source below is filled in with the function's own parameters and compiled. The local names
start with `_q_`, which no parameter may. `cells` explains why nothing here locks, checks bounds, or
asks which process this is.
"""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.context import SCOPE
from qmon_sdk.protocol import flight
from qmon_sdk.transports.originals import get_ident

from .cells import CELL, adopt, draw, pack_inside, pack_open, pack_row
from .endings import failed, told
from .entrances import ACCELERATED, is_wrapped_in_c, names_in_c, wrapped_in_c, wrapped_keeping
from .ring import NO_SLOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FunctionType
    from typing import Any

    from .sites import Site

_BEGIN = """
    _q_cell = _q_get()
    _q_span = _q_next(_q_cell.ids, 0) if _q_cell.thread == _q_ident() else 0
    if not _q_span:
        _q_cell = _q_adopt()
        if _q_cell is None:
            {pass_through}
        _q_span = _q_next(_q_cell.ids, 1)
    {skip}
    _q_parent = _q_cell.span
    _q_lane = _q_cell.lane
    try:
        _q_slot = _q_lane.opens.pop()
    except IndexError:
        _q_slot = _q_no_slot
"""

_ROOT = """
        if _q_cell.always:
            _q_cell.trace_lo = _q_draw(64)
        else:
            _q_cell.begin_trace(_q_name)
"""

_OPEN = """
        _q_open(
            _q_lane.buf, _q_slot, _q_cell.trace_hi, _q_cell.trace_lo, _q_scope().who, _q_what,
            _q_parent, _q_lane.thread, _q_start, _q_span,
        )
"""

_ROW = """
    _q_took = _q_clock() - _q_start
    if _q_cell.span is _q_span{own_thread}{plain}:
        _q_at = _q_next(_q_cell.slots)
        _q_pack(
            _q_lane.rows, _q_at, _q_start, _q_took, _q_cell.trace_hi, _q_cell.trace_lo,
            _q_parent, _q_what, _q_scope().who, 0, _q_span,
        )
    else:
        _q_told(_q_cell, _q_site, _q_parent, _q_start, _q_took, {extra})
"""

_CLOSE = """
    if _q_slot > _q_no_slot:
        _q_lane.marks[_q_slot + {mark} >> 3] = 0
        _q_lane.opens.append(_q_slot)
"""

_SYNC = (
    "def {name}({parameters}):"
    + _BEGIN
    + """
    _q_cell.span = _q_span
    {arguments_kept}
    if _q_parent and _q_cell.slot > _q_no_slot:
        _q_start = _q_clock()
        _q_inside(
            _q_lane.buf, _q_slot + {inside}, _q_inherits, _q_parent, _q_lane.thread, _q_start,
            _q_span,
        )
    else:
        if not _q_parent:
            _q_cell.slot = _q_slot
"""
    + _ROOT.replace("\n", "\n    ")
    + """
        _q_start = _q_clock()
"""
    + _OPEN
    + """
    try:
        _q_result = _q_call({arguments})
    except BaseException as _q_error:
        _q_failed(_q_cell, _q_site, _q_parent, _q_start, _q_clock() - _q_start, {early}, _q_error)
        _q_cell.span = _q_parent
"""
    + _CLOSE.replace("\n", "\n    ")
    + """
        raise
"""
    + _ROW
    + _CLOSE
    + """
    _q_cell.span = _q_parent
    return _q_result
"""
)

_ASYNC = (
    "async def {name}({parameters}):"
    + _BEGIN
    + """
    _q_outer = _q_cell
    _q_cell = _q_outer.child(_q_span)
    if not _q_parent:
"""
    + _ROOT
    + """
    {arguments_kept}
    _q_cell.slot = _q_slot
    _q_set(_q_cell)
    _q_start = _q_clock()
    if True:
"""
    + _OPEN
    + """
    try:
        _q_result = await _q_call({arguments})
    except BaseException as _q_error:
        _q_failed(_q_cell, _q_site, _q_parent, _q_start, _q_clock() - _q_start, {early}, _q_error)
        if _q_get() is _q_cell:
            _q_set(_q_outer)
"""
    + _CLOSE.replace("\n", "\n    ")
    + """
        raise
"""
    + _ROW
    + _CLOSE
    + """
    if _q_get() is _q_cell:
        _q_set(_q_outer)
    return _q_result
"""
)

_TEMPLATES = {"sync": _SYNC, "async": _ASYNC}
_ACCELERATED = {
    "sync": ACCELERATED.replace("AWAIT ", ""),
    "async": "async " + ACCELERATED.replace("AWAIT", "await"),
}
_PASS = {"sync": "return _q_call({})", "async": "return await _q_call({})"}

_COROUTINE, _VARARGS, _VARKEYWORDS = 0x80, 0x04, 0x08
_MOST_COMPILED = 2048
_compiled: dict[str, CodeType] = {}


def wrapper_of(
    fn: FunctionType,
    site: Site,
    *,
    record_args: tuple[str, ...] = (),
    record_return: bool = False,
    skip: Callable[[Any], bool] | None = None,
) -> Callable[..., Any]:
    """Compile the wrapper of a plain function or a coroutine function."""
    way = "async" if fn.__code__.co_flags & _COROUTINE else "sync"
    keeps = bool(record_args or record_return)
    if is_wrapped_in_c(fn) and way == "sync" and not keeps:
        return wrapped_in_c(fn, site, skip)
    in_c = names_in_c(site, skip, waits=way == "async")
    parameters, arguments = signature_of(fn)
    pass_through = _PASS[way].format(arguments)
    kept = ", ".join(f"{name!r}: {name}" for name in record_args)
    late = '{**_q_kept, "return": _q_result}' if record_return else "_q_kept"
    source = (_ACCELERATED if in_c else _TEMPLATES)[way].format(
        name="_q_wrapper",
        parameters=parameters,
        arguments=arguments,
        pass_through=pass_through,
        skip=f"if _q_skip(_q_cell):\n        {pass_through}" if skip else "",
        arguments_kept=f"_q_kept = {{{kept}}}" if keeps else "",
        plain=" and not _q_keeps" if keeps else "",
        extra=late if keeps else "None",
        early="_q_kept" if keeps else "None",
        own_thread=" and _q_cell.thread == _q_ident()" if way == "async" else "",
        inside=flight.OPEN_INSIDE_AT,
        mark=flight.OPEN_SPAN,
    )
    names = {
        **_NAMES,
        **in_c,
        "_q_call": fn,
        "_q_site": site,
        "_q_what": site.number,
        "_q_inherits": site.number | flight.INHERITS,
        "_q_name": site.name,
        "_q_skip": skip,
        "_q_keeps": True,
    }
    wrapper: FunctionType = _made(source, names)
    wrapper.__defaults__ = fn.__defaults__
    wrapper.__kwdefaults__ = fn.__kwdefaults__
    if way == "async" or record_return or not keeps:
        return wrapper
    return wrapped_keeping(fn, wrapper, site=site, skip=skip, kept=record_args)


def signature_of(fn: FunctionType) -> tuple[str, str]:
    """Write a function's parameters and the arguments that pass them on, from its code object.

    `inspect` would know too, but costs more to import than the whole SDK may.
    """
    code = fn.__code__
    names = code.co_varnames
    positional, only = code.co_argcount, code.co_posonlyargcount
    with_default = positional - len(fn.__defaults__ or ())
    parameters = [
        f"{name}=None" if place >= with_default else name
        for place, name in enumerate(names[:positional])
    ]
    arguments = list(names[:positional])
    if only:
        parameters.insert(only, "/")
    after = positional + code.co_kwonlyargcount
    keywords = names[positional:after]
    if code.co_flags & _VARARGS:
        parameters.append(f"*{names[after]}")
        arguments.append(f"*{names[after]}")
        after += 1
    elif keywords:
        parameters.append("*")
    optional = fn.__kwdefaults__ or {}
    parameters += [f"{name}=None" if name in optional else name for name in keywords]
    arguments += [f"{name}={name}" for name in keywords]
    if code.co_flags & _VARKEYWORDS:
        parameters.append(f"**{names[after]}")
        arguments.append(f"**{names[after]}")
    return ", ".join(parameters), ", ".join(arguments)


def _made(source: str, names: dict[str, Any]) -> Any:
    code = _compiled.get(source)
    if code is None:
        code = compile(source, "<qmon.instrument>", "exec")
        if len(_compiled) < _MOST_COMPILED:
            _compiled[source] = code
    exec(code, names)  # noqa: S102 - the source is ours, the parameter names the compiler's
    return names.pop("_q_wrapper")


def _names() -> dict[str, Any]:
    return {
        "_q_get": CELL.get,
        "_q_set": CELL.set,
        "_q_scope": SCOPE.get,
        "_q_next": next,
        "_q_ident": get_ident,
        "_q_adopt": adopt,
        "_q_draw": draw,
        "_q_clock": perf_counter_ns,
        "_q_no_slot": NO_SLOT,
        "_q_open": pack_open,
        "_q_inside": pack_inside,
        "_q_pack": pack_row,
        "_q_told": told,
        "_q_failed": failed,
    }


_NAMES = _names()
