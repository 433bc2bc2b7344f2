"""Where every thread and task is: files, lines and names, and none of their values."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from types import FrameType
from typing import Any

_DEEPEST = 60
_MOST = 500


def stacks(loop: asyncio.AbstractEventLoop | None = None) -> dict[str, list[str]]:
    """From any thread, also while the loop is stuck; innermost line last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    shown = {
        f"thread {names.get(number, number)}": _lines(frame)
        for number, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way
    }
    for task in [*_tasks(loop)][:_MOST]:
        shown[f"task {task.get_name()}"] = [
            line for frame in task.get_stack(limit=_DEEPEST) for line in _lines(frame, deepest=1)
        ]
    return shown


def _tasks(loop: asyncio.AbstractEventLoop | None) -> set[asyncio.Task[Any]]:
    if loop is None:
        return set()
    try:
        return asyncio.all_tasks(loop)
    except RuntimeError:  # they come and go too fast just now
        return set()


def _lines(frame: FrameType, *, deepest: int = _DEEPEST) -> list[str]:
    found = traceback.StackSummary.extract(
        traceback.walk_stack(frame), limit=deepest, lookup_lines=False
    )
    return [f"{each.filename}:{each.lineno} {each.name}" for each in reversed(found)]
