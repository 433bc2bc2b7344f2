"""`sys.unraisablehook`: errors nobody could catch, in `__del__`, callbacks and bare threads."""

from __future__ import annotations

import sys

from qmon_sdk.client import guarded

from ._unhandled import is_trouble, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._watch import Watch

WHERE = "unraisable.where"
OBJECT = "unraisable.object"


class UnraisablehookIntegration:
    """Keeps what the interpreter must ignore, and calls the hook that was there before."""

    def install(self, watch: Watch) -> None:
        """Stand before `sys.unraisablehook`."""
        watch.wrap(sys, "unraisablehook", _watched)


def _watched(hook: Callable[..., Any]) -> Callable[..., Any]:
    # In variables of its own: while the interpreter ends, a module has lost its names.
    is_ending, tell_of = sys.is_finalizing, _tell

    def unraisablehook(unraisable: Any, /) -> Any:
        try:
            if not is_ending():
                tell_of(unraisable)
        finally:
            hook(unraisable)

    return unraisablehook


@guarded
def _tell(unraisable: Any) -> None:
    error, where = unraisable.exc_value, unraisable.err_msg
    if is_trouble(error):
        tell(error, {WHERE: where or "Exception ignored in", OBJECT: _name_of(unraisable.object)})


def _name_of(thing: Any) -> str | None:
    """Name a function or the class of an object, which may be half gone and is asked nothing."""
    if thing is None:
        return None
    name = getattr(thing, "__qualname__", None) if callable(thing) else None
    return name if type(name) is str else type(thing).__qualname__
