"""The stack of an error that no exception stands behind, in the shape that the SDK's have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

import msgspec

from qmon_sdk.protocol.flight_reader import OpenSpan

from .faults import Fault, FaultFrame

_ROOTS = f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"
_LIBRARIES = (*_ROOTS, f"{os.sep}lib{os.sep}python3", f"{os.sep}qmon_sdk{os.sep}")


def stack_json(kind: str, message: str, frames: Sequence[dict[str, Any]]) -> str:
    """One link of a chain, as `qmon_sdk.stacktrace` writes it."""
    link = {"type": kind, "module": "", "value": message, "frames": list(frames)}
    return msgspec.json.encode({"chain": [link]}).decode()


def frames_of_fault(fault: Fault, chain: Sequence[OpenSpan]) -> list[dict[str, Any]]:
    return [
        {
            "file": frame.file,
            "function": frame.function,
            "module": _module_of(frame.file, fault, chain),
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
    """The application's function, or the span, that is nearest to the trouble.

    By the name that Python has for it, as in errors that a living process tells.
    """
    frames = fault.frames[::-1] if fault else ()
    frame = next((each for each in frames if _is_in_app(each)), None)
    if fault is None or frame is None:
        return name_of(chain[-1]) if chain else ""
    module = _module_of(frame.file, fault, chain)
    for name in map(name_of, reversed(chain)):  # these know the class, too
        if name.startswith(f"{module}.") and name.endswith(f".{frame.function}"):
            return name
    return f"{module}.{frame.function}"


def _module_of(file: str, fault: Fault, chain: Sequence[OpenSpan]) -> str:
    """What the module in a file is called, as far as can be told without looking at the disk."""
    if fault.program and file == fault.program:
        return "__main__"
    path = PurePath(file.removesuffix(".py"))
    path = path.parent if path.name == "__init__" else path
    for name in map(name_of, chain):
        parts = name.split(".")
        for end in range(len(parts) - 1, 0, -1):
            if path.parts[-end:] == (*parts[:end],):
                return ".".join(parts[:end])
    for folder in _ROOTS:
        _, found, inside = str(path).rpartition(folder)
        if found:
            return inside.replace(os.sep, ".")
    if path.is_relative_to(beside := PurePath(fault.program).parent) and fault.program:
        return ".".join(path.relative_to(beside).parts)
    return path.name


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
