"""The local variables of a frame as texts: small ones first, within a time, without secrets."""

from __future__ import annotations

from itertools import islice
from time import perf_counter_ns
from types import BuiltinFunctionType, FunctionType, ModuleType

from .entropy import without_random
from .rendering import HIDDEN, Renderer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Any

    from .scrub import Scrubber

MAX_LOCALS = 20
MAX_LOCAL = 300
_MAX_SEEN = 200
_SCALARS = frozenset({int, float, bool, type(None), complex})
_SIZED = frozenset({str, bytes, list, tuple, dict, set, frozenset})
_NOISE = frozenset({ModuleType, FunctionType, BuiltinFunctionType, type})
_LARGE = 200  # how an object of an unknown type is ranked


def locals_of(
    frames: Iterable[FrameType | None], scrubber: Scrubber, until: int
) -> list[dict[str, str]]:
    """Write the variables of frames, in their order, until `until` (of `perf_counter_ns`).

    In a frame a big variable never hides a small one; nothing is told of a frame that is `None`.
    """
    text_of = Renderer(MAX_LOCAL, scrubber.hides).text
    found = [
        {} if frame is None else _variables(frame, text_of, hides=scrubber.hides, until=until)
        for frame in frames
    ]
    # Mostly there is nothing to hide, and then one look at all of them together will do.
    together = "\n".join([text for texts in found for text in texts.values()])
    if scrubber.is_suspect(together):
        found = [{name: scrubber.text(text) for name, text in texts.items()} for texts in found]
    if scrubber.is_on and without_random(together, HIDDEN) != together:
        found = [
            {name: without_random(text, HIDDEN) for name, text in texts.items()} for texts in found
        ]
    return found


def _variables(
    frame: FrameType, text_of: Callable[[Any], str], *, hides: Callable[[str], bool], until: int
) -> dict[str, str]:
    if perf_counter_ns() >= until:
        return {}
    variables = [
        item
        for item in islice(frame.f_locals.items(), _MAX_SEEN)
        if type(item[1]) not in _NOISE and not item[0].startswith("__")
    ]
    variables.sort(key=_weight)
    texts: dict[str, str] = {}
    for name, value in variables[:MAX_LOCALS]:
        texts[name] = HIDDEN if hides(name) else text_of(value)
        if perf_counter_ns() >= until:
            break
    return texts


def _weight(item: tuple[str, Any]) -> int:
    kind = type(item[1])
    if kind in _SCALARS:
        return 0
    return len(item[1]) if kind in _SIZED else _LARGE
