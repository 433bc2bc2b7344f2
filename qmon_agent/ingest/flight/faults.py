"""Reading what `faulthandler` wrote while a signal ended its process."""

from __future__ import annotations

import re
import signal

import msgspec

# As `faulthandler` names them; the heads it writes for other reasons are no signals.
SIGNALS = {
    "Segmentation fault": signal.SIGSEGV,
    "Aborted": signal.SIGABRT,
    "Bus error": signal.SIGBUS,
    "Floating point exception": signal.SIGFPE,
    "Floating-point exception": signal.SIGFPE,
    "Illegal instruction": signal.SIGILL,
    "Stack overflow": signal.SIGSEGV,
}
_HEAD = re.compile(r"^Fatal Python error: (.*)$", re.MULTILINE)
_CURRENT = re.compile(
    r"^Current thread 0x([0-9a-f]+)[^\n]*most recent call first[^\n]*:$", re.MULTILINE
)
_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$')
_RUNPY = re.compile(r"^<frozen runpy>$|\brunpy\.py$|\bqmon_sdk\b")
_MOST_FRAMES = 100
_LONGEST = 400
MAX_BYTES = 256 << 10


class FaultFrame(msgspec.Struct, frozen=True, kw_only=True):
    """One call on the stack."""

    file: str
    line: int
    function: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What ended the process, and where its thread was: outermost call first."""

    said: str = ""
    signal: int = 0
    thread: int = 0
    frames: tuple[FaultFrame, ...] = ()
    is_cut: bool = False
    """There was more of the stack, nearer to where it began."""
    program: str = ""
    """The file that was run as the program, where the stack of its thread shows it."""


def read_fault(data: bytes) -> Fault | None:
    """The fault in such a file; nothing, if nothing was written. Any bytes will do."""
    text = data[:MAX_BYTES].decode("utf-8", "replace")
    head = _HEAD.search(text)
    if head is None:
        return None
    said = head[1].strip()
    current = _CURRENT.search(text, head.end())
    frames, is_cut = _frames(text[current.end() :]) if current else ([], False)
    return Fault(
        said=said[:_LONGEST],
        signal=SIGNALS.get(said, 0),
        thread=int(current[1], 16) if current and len(current[1]) <= 16 else 0,  # noqa: PLR2004 - hex digits of 64 bits
        frames=tuple(reversed(frames)),
        is_cut=is_cut,
        program=_program(text),
    )


def _program(text: str) -> str:
    """Find the thread that began with the program: below its module there is only `runpy`."""
    for stack in text.split("most recent call first")[1:]:
        calls = [found.groups() for line in stack.splitlines() if (found := _FRAME.match(line))]
        while calls and _RUNPY.search(calls[-1][0]):
            calls.pop()
        if calls and calls[-1][2] == "<module>":
            return str(calls[-1][0])[-_LONGEST:]
    return ""


def _frames(text: str) -> tuple[list[FaultFrame], bool]:
    """The frames of one thread, and whether it says that there were more."""
    frames: list[FaultFrame] = []
    for line in text.splitlines()[1:]:
        found = _FRAME.match(line)
        if found is None or len(frames) == _MOST_FRAMES:
            return frames, line == "  ..." or found is not None
        file, number, function = found.groups()
        frames.append(
            FaultFrame(
                file=file[-_LONGEST:],
                line=int(number) if number.isdigit() and len(number) < 10 else 0,  # noqa: PLR2004 - no file has more lines
                function=function[:_LONGEST],
            )
        )
    return frames, False
