"""JSON of texts that are written once and joined often, without the `json` package."""

from __future__ import annotations

try:
    from _json import encode_basestring_ascii as quoted
except ImportError:  # an interpreter without the accelerator
    from json.encoder import py_encode_basestring_ascii as quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["array", "members", "quoted", "texts"]


def members(*pairs: tuple[str, str]) -> str:
    """Join names and values, which are JSON already, as they stand between the braces."""
    return ",".join([f"{quoted(name)}:{value}" for name, value in pairs])


def texts(mapping: Mapping[str, str]) -> str:
    """Write a map of text to text."""
    inside = ",".join([f"{quoted(name)}:{quoted(text)}" for name, text in mapping.items()])
    return "{" + inside + "}"


def array(values: Iterable[str]) -> str:
    """Write a list of values that are JSON already."""
    return "[" + ",".join(values) + "]"
