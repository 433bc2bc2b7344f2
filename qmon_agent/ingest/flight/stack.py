"""The stack of an error that no exception stands behind, in the shape that the SDK's have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from qmon_sdk.protocol.flight_reader import OpenSpan

from .faults import Fault, FaultFrame

_LIBRARIES = (
    f"{os.sep}site-packages{os.sep}",
    f"{os.sep}dist-packages{os.sep}",
    f"{os.sep}lib{os.sep}python3",
    f"{os.sep}qmon_sdk{os.sep}",
)


def stack_json(kind: str, message: str, frames: Sequence[dict[str, Any]]) -> str:
    """One link of a chain, as `qmon_sdk.stacktrace` writes it."""
    link = {"type": kind, "module": "", "value": message, "frames": list(frames)}
    return msgspec.json.encode({"chain": [link]}).decode()


def frames_of_fault(fault: Fault) -> list[dict[str, Any]]:
    return [
        {
            "file": frame.file,
            "function": frame.function,
            "module": "",
            "line": frame.line,
            "in_app": _is_in_app(frame),
        }
        for frame in fault.frames
    ]


def frames_of_spans(chain: Sequence[OpenSpan]) -> list[dict[str, Any]]:
    """What was going on, where nobody wrote down the calls: spans in the place of frames."""
    return [
        {
            "file": open_span.span.attributes.get("code.file.path", ""),
            "function": name_of(open_span),
            "module": "",
            "line": 0,
            "in_app": True,
        }
        for open_span in chain
    ]


def culprit_of(fault: Fault | None, chain: Sequence[OpenSpan]) -> str:
    """The application's function, or the span, that is nearest to the trouble."""
    frames = fault.frames[::-1] if fault else ()
    frame = next((each for each in frames if _is_in_app(each)), None)
    if frame is not None:
        return f"{Path(frame.file).stem}.{frame.function}"
    return name_of(chain[-1]) if chain else ""


def name_of(open_span: OpenSpan) -> str:
    span = open_span.span
    return span.attributes.get("code.function.name") or span.name


def key_of(*parts: str) -> str:
    """A key of 32 hexadecimal digits, as the SDK makes them."""
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _is_in_app(frame: FaultFrame) -> bool:
    if frame.file.startswith("<"):
        return frame.file.startswith(("<ipython", "<stdin", "<string"))
    return not any(folder in frame.file for folder in _LIBRARIES)
