"""Values of any kind as the text that an attribute of ours is; what has parts becomes JSON."""

from __future__ import annotations

from base64 import b64encode
from math import isfinite
from typing import Any

import msgspec

Plain = Any
"""None, bool, int, float, str, bytes, and lists and dicts of these."""

_WORDS = {None: "", True: "true", False: "false"}


def text_of(value: Plain) -> str:
    """As the SDK writes the same value."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(_sayable(value)).decode()
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def _sayable(value: Plain) -> Plain:
    """JSON has no infinities, and no numbers that are none."""
    if isinstance(value, list):
        return [_sayable(part) for part in value]
    if isinstance(value, dict):
        return {key: _sayable(part) for key, part in value.items()}
    return str(value) if isinstance(value, float) and not isfinite(value) else value
