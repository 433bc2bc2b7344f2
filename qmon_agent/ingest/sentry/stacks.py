"""The exceptions of an event, read with their shape known; a place met before is not read again.

The same lines of source come with every error that passes them: what is written of a frame beside
its variables is remembered by the bytes it was told in. Exceptions of any other shape are read
without one, as everything else is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import msgspec

from qmon_agent.ingest.exceptions import Placed, Shaped, frame_of, locals_of
from qmon_agent.ingest.loose import decoded

_KNOWN, _KNOWN_BYTES = 1024, 2048  # remembered, of those that are no longer
_NULL = msgspec.Raw(b"null")

Line = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class Frame(Shaped):
    """A frame whose fields are of the types that they should be."""

    filename: str | None = None
    abs_path: str | None = None
    function: str | None = None
    module: str | None = None
    lineno: Line | None = None
    in_app: bool | None = None
    pre_context: msgspec.Raw = _NULL
    context_line: str | None = None
    post_context: msgspec.Raw = _NULL
    vars: dict[str, Any] | None = None
    code_variables: dict[str, Any] | None = None

    def placed(self) -> Placed:
        """What is kept of it; raises NotJsonError."""
        written, place = self._place()
        if variables := locals_of(self.vars or self.code_variables):
            written = b'%b,"locals":%b}' % (written[:-1], msgspec.json.encode(variables))
        return Placed(msgspec.Raw(written), place.function, place.name, place.in_app)

    def _place(self) -> tuple[bytes, Placed]:
        before, after = bytes(self.pre_context), bytes(self.post_context)
        told = (self.filename, self.abs_path, self.function, self.module, self.lineno, self.in_app)
        said = (*told, self.context_line)
        if len(before) + len(after) + len(self.context_line or "") > _KNOWN_BYTES:
            return _place_of(said, before, after)
        return _known(said, before, after)


_SAID = "filename", "abs_path", "function", "module", "lineno", "in_app", "context_line"


def _place_of(said: tuple[Any, ...], before: bytes, after: bytes) -> tuple[bytes, Placed]:
    """A frame without variables, written, and as it is."""
    told = dict(zip(_SAID, said, strict=True))
    lines = {"pre_context": decoded(before), "post_context": decoded(after)}
    place = frame_of({**told, **lines})
    return msgspec.json.encode(place.written), place


_known = lru_cache(_KNOWN)(_place_of)


class _Stack(msgspec.Struct):
    frames: list[Frame] | None = None


class _Exception(msgspec.Struct):
    type: Any = None
    module: Any = None
    value: Any = None
    mechanism: Any = None
    stacktrace: _Stack | None = None

    def told(self) -> dict[str, Any]:
        frames = self.stacktrace.frames if self.stacktrace else None
        return {
            "type": self.type,
            "module": self.module,
            "value": self.value,
            "mechanism": self.mechanism,
            "stacktrace": {"frames": frames},
        }


class _Values(msgspec.Struct):
    values: list[_Exception]


_EXCEPTIONS = msgspec.json.Decoder(_Values)


def exceptions_of(raw: bytes | msgspec.Raw) -> list[dict[str, Any]] | None:
    """Those of an event, each frame in its shape; nothing where one has another."""
    try:
        return [each.told() for each in _EXCEPTIONS.decode(raw).values]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
