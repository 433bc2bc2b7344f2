"""The local variables of a frame as texts: small ones first, within a time, without secrets."""

from __future__ import annotations

from itertools import islice
from time import perf_counter_ns
from types import BuiltinFunctionType, FunctionType, ModuleType

from .accelerator import speedups
from .entropy import without_random
from .rendering import HIDDEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Any

    from .rendering import Renderer
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
    renderer = scrubber.renderer(MAX_LOCAL)
    write = _variables if speedups is None else _plain_first
    found = [{} if frame is None else write(frame, renderer, until) for frame in frames]
    # Mostly there is nothing to hide, and then one look at all of them together will do.
    together = "\n".join([text for texts in found for text in texts.values()])
    if scrubber.is_suspect(together):
        found = [{name: scrubber.text(text) for name, text in texts.items()} for texts in found]
    if scrubber.is_on and without_random(together, HIDDEN) != together:
        found = [
            {name: without_random(text, HIDDEN) for name, text in texts.items()} for texts in found
        ]
    return found


def _plain_first(frame: FrameType, renderer: Renderer, until: int) -> dict[str, str]:
    """Do as `_variables` does; what is plain, in C, whatever time is left for the others."""
    if perf_counter_ns() >= until:
        return {}
    items = list(islice(frame.f_locals.items(), _MAX_SEEN))
    written = speedups.variables(items, renderer.limit, *renderer.known)
    if written is None:
        return _variables(frame, renderer, until)
    texts: dict[str, Any] = written[0]
    for place, (name, value) in enumerate(written[1]):
        texts[name] = HIDDEN if renderer.hides(name) else renderer.text(value)
        if perf_counter_ns() >= until:
            for late, _ in written[1][place + 1 :]:
                del texts[late]
            break
    return texts


def _variables(frame: FrameType, renderer: Renderer, until: int) -> dict[str, str]:
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
        texts[name] = HIDDEN if renderer.hides(name) else renderer.text(value)
        if perf_counter_ns() >= until:
            break
    return texts


def _weight(item: tuple[str, Any]) -> int:
    kind = type(item[1])
    if kind in _SCALARS:
        return 0
    return len(item[1]) if kind in _SIZED else _LARGE
