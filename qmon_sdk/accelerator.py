"""Whether the hot paths run in C: chosen here, once, and nowhere else.

The module is optional. It is absent where there was no compiler, belongs to the main interpreter
only, and stays out of the way when `QMON_PURE_PYTHON=1` says so. Everything it does is done in pure
Python too, beside the place that asks for it, and the same tests run on both.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GENERATION = 16
"""What this Python expects of the C beside it: a module of another generation is not used."""

_SOURCES = f"{os.path.dirname(__file__)}/_speedups"


def _chosen() -> Any:
    if os.environ.get("QMON_PURE_PYTHON", "") not in {"", "0"}:
        return None
    try:
        module = __import__("qmon_sdk._speedups", fromlist=["GENERATION"])
    except ImportError:
        return None
    # In a source tree that nobody compiled, the name is that of the folder with the sources.
    is_ours = getattr(module, "GENERATION", 0) == GENERATION
    return module if is_ours and _is_fresh(module.__file__) else None


def _is_fresh(path: str | None) -> bool:
    """Say whether a module is as new as its sources; an installed one has none beside it."""
    try:
        newest = max(entry.stat().st_mtime for entry in os.scandir(_SOURCES))
        return path is None or os.stat(path).st_mtime >= newest
    except (OSError, ValueError):
        return True


speedups: Any = _chosen()
"""The compiled module, or `None`."""
