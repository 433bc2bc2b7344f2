"""Exceptions that spans are told of: each object is one error of qmon's as well."""

from __future__ import annotations

import sys

from opentelemetry.trace import use_span

from qmon_sdk.capture import capture_exception

from .places import stay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_LEAVING = getattr(getattr(use_span, "__wrapped__", use_span), "__code__", None)
_NEAR = 6  # frames: the guard's, and those of a processor


def keep_error(span: Any, error: BaseException, *, escaped: bool) -> str | None:
    """Keep an exception of a span as an error, unless it was kept already, and return its id.

    Nobody handles what leaves the span by which the program was entered.
    """
    place = stay(span)
    try:
        leaves = _is_entry(span) and (escaped or _is_leaving(sys._getframe(1)))  # noqa: SLF001 - who calls is said nowhere else
        return capture_exception(error, handled=not leaves)
    finally:
        if place is not None:
            place.end()


def _is_entry(span: Any) -> bool:
    """Say whether the program was entered here: nobody further out handles what leaves it."""
    parent = span.parent
    return parent is None or parent.is_remote


def _is_leaving(frame: FrameType | None) -> bool:
    """Say whether the block of `use_span` is left, which tells of that like of anything else."""
    for _ in range(_NEAR):
        if frame is None or frame.f_code is _LEAVING:
            break
        frame = frame.f_back
    else:
        return False
    return frame is not None
