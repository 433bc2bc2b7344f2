"""A person's name in a text: found where it stands by itself, and replaced."""

from __future__ import annotations

import json
import re

FORGOTTEN = "[forgotten]"
SHORTEST = 4
"""Shorter names, and bare numbers, stand in texts for other things."""
_BEFORE, _BEHIND = r"(?<![\w@.+-])", r"(?![\w@+-])(?!\.\w)"


def is_telling(name: str) -> bool:
    """Whether a text in which this stands is surely about somebody."""
    return len(name) >= SHORTEST and not name.isdigit()


def without_name(text: str, name: str) -> str:
    """The text with the name replaced wherever it stands by itself, also as JSON writes it."""
    for written in {name, json.dumps(name)[1:-1]}:
        text = re.sub(f"{_BEFORE}{re.escape(written)}{_BEHIND}", FORGOTTEN, text)
    return text
