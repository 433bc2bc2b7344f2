"""What the verbs of numbers, where there is no accelerator, know of the client in charge."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Labelled = dict[Any, tuple[Callable[[Any], Any], int, dict[Any, Any]]]

_NOTHING: tuple[dict[Any, Any], Labelled] = ({}, {})

KNOWN = [_NOTHING] * 3
"""The series of counters, gauges and distributions: by what was said of them; and by the name of
the metric, as what reads its labels, how many they are, and the series by their values."""


def aim(*families: Any) -> None:
    """Have the verbs add to the series of these families; `None` are those of nobody."""
    KNOWN[:] = [(each.known, each.labelled) if each else _NOTHING for each in families]
