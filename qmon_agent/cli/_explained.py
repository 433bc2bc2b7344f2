"""What options there are, as lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator

from qmon_agent.app.explaining import Explained, Key


def explained_lines(told: Explained) -> Iterator[str]:
    yield f"{told.path}: {told.meaning}" if told.meaning else f"{told.path}:"
    for key in told.options:
        yield f"  {key.key}  ({key.type}, {_default(key)})"
        if key.meaning:
            yield f"      {key.meaning}"
    for name, meaning in told.names.items():
        yield f"  {told.path}.{name}: {meaning}"


def _default(key: Key) -> str:
    return "required" if key.required else f"default {json.dumps(key.default, ensure_ascii=False)}"
