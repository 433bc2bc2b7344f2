"""An event read one field at a time: what nobody asks for is stepped over, and never decoded.

A client sends the list of all that is installed, and a hundred breadcrumbs, with every error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.ingest.loose import decoded

Fields = dict[str, msgspec.Raw]
_FIELDS = msgspec.json.Decoder(Fields)


class Peeled(Mapping[str, Any]):
    """The object in some JSON; a field raises NotJsonError when it is asked for and is none."""

    def __init__(self, fields: Fields) -> None:
        """Hold what `peel` has found."""
        self._fields = fields
        self._known: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._known:
            self._known[key] = decoded(bytes(self._fields[key]))
        return self._known[key]

    def get(self, key: str, default: Any = None) -> Any:
        """As a dictionary has it, without an exception for each field that is not there."""
        return self[key] if key in self._fields else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def raw(self, key: str) -> msgspec.Raw | None:
        """A field's bytes as they came."""
        return self._fields.get(key)


def peel(data: bytes) -> Any:
    """Fields of an object, or whatever else the JSON is; raises NotJsonError."""
    try:
        return Peeled(_FIELDS.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decoded(data)  # no object, or one that only a more patient reader can read
