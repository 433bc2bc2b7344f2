"""The flight ring: what a process leaves behind when it is killed, and how its bytes lie.

One file for each process, mapped by it and read by the agent once the process is gone; all numbers
are little-endian. A kill between any two stores leaves either all of an entry or none of it: the
word that makes an entry count is stored last, and set to zero first where it is used again.

| section  | entries                                                                          |
|---|---|
| head     | magic, state, process, pid, clock, counters, samples, resource, ledger           |
| names    | appended: `u32 length`, msgpack `[number, name, kind, attributes]` of a site     |
| people   | at number % `PEOPLE`: who a number in a row stands for: user id and session id   |
| sessions | open sessions                                                                    |
| opens    | open spans; slot 0 stands in for those that found no slot                        |
| notes    | a byte ring of signals, attributes, breadcrumbs: the newest push out the oldest  |
| frames   | a byte ring of messages that are not acknowledged                                |
| chunks   | finished spans that are in no frame yet: pages of `ROWS` rows, each of one thread |

A process holds a POSIX record lock on its file, which the kernel takes from it whatever it dies of,
and which a forked child does not inherit.
"""

from __future__ import annotations

from struct import Struct

MAGIC = b"qmonfly1"
MAKING, FLYING, LANDED = 0, 1, 2
"""States: being made; in use; left in good order: what is still in it counts, but nobody died."""

# --- head: offsets of its fields -------------------------------------------------------------
HEAD_BYTES = 4096
STATE = 8
PROCESS = 16
PID = 32
STARTED = 40
"""The process's start, in clock ticks since boot, as `/proc/PID/stat` has it; 0 where unknown."""
CLOCK = 48
"""What to add to the times of rows and open spans to get nanoseconds since 1970 UTC."""
SEQUENCE = 56
"""The last sequence that a frame was given."""
LOGGED = 64
"""The position in the notes before which every signal is in a frame."""
NOTED = 72
"""The position in the notes up to which they are written, or are about to be."""
FRAMES_TAIL = 80
FRAMES_HEAD = 88
"""Where the oldest frame begins and the newest ends, in bytes from the section's start."""
PID_NAMESPACE = 96
"""The inode of `/proc/self/ns/pid`: only there does the pid mean this process; 0 where unknown."""
CAPTURED = 128
"""Signals captured, up to and including those in the newest frame, a word for each of `SIGNALS`."""
SAMPLES_AT = 256
SAMPLES = 16
SAMPLE = Struct("<qQQQ")
"""Time, resident bytes, CPU nanoseconds, threads: one each second, in turns."""
RESOURCE_AT = 1024
RESOURCE_BYTES = 1536
"""`u32 length` and the msgpack of the resource, as frames have it."""
LEDGER_AT = 2560
LEDGER_BYTES = 1536
"""`u32 length` and the msgpack of what was dropped: `kind/reason → n`."""

WORD = Struct("<Q")
LENGTH = Struct("<I")

# --- sections --------------------------------------------------------------------------------
NAMES_AT = HEAD_BYTES
NAMES_BYTES = 256 << 10

PEOPLE_AT = NAMES_AT + NAMES_BYTES
PEOPLE = 1024
PERSON_BYTES = 192
PERSON = Struct("<QHH180s")
"""Number, then the lengths of user id and session id, whose UTF-8 bytes follow each other."""

SESSIONS_AT = PEOPLE_AT + PEOPLE * PERSON_BYTES
SESSIONS = 128
SESSION_BYTES = 256
SESSION = Struct("<qQ32s16s144s")
"""Started, errors, id, mode, user; the word before them is 1 while the session is open."""
SESSION_ERRORS = 16  # where in a slot the errors are counted

OPENS_AT = SESSIONS_AT + SESSIONS * SESSION_BYTES
OPENS = 1024
OPEN_BYTES = 128
OPEN = Struct("<QQQQQQqQ")
"""Trace (high, low), who, what, parent, thread, start, span: the span id last, 0 = not open."""
OPEN_INSIDE = Struct("<QQQqQ")
OPEN_INSIDE_AT = 24
"""What, parent, thread, start, span: of a span that is in the trace of its parent (`INHERITS`)."""
OPEN_WHO = 16
OPEN_SPAN = 56
OPEN_TEXT = 64
OPEN_TEXT_BYTES = 64

NOTES_AT = OPENS_AT + OPENS * OPEN_BYTES
NOTES_BYTES = 256 << 10
NOTE = Struct("<QIHH")
"""Its own position, the length of what follows, its kind; entries begin at multiples of 8."""
LOG, EXTRA, CRUMB, EVENT, ERROR, SCOPE_OVER = 1, 2, 3, 4, 5, 6
"""Kinds of notes: a span's attributes (msgpack), a breadcrumb (JSON), signals of three kinds, and
that a scope has ended (its number): what was noted in it counts no more."""
IN_SCOPE = ',"scope":"'
"""What the end of a breadcrumb begins with that was noted in a scope; the number in hex follows."""
KEPT = {"log": LOG, "event": EVENT, "error": ERROR}
"""Signals that wait in the notes for a frame, as the msgpack of their fields."""

FRAMES_AT = NOTES_AT + NOTES_BYTES
FRAMES_BYTES = 512 << 10
HELD = Struct("<QQQQ")
"""Length of the message, sequence, `LOGGED` once it counts, 1 until it is acknowledged."""
HELD_LIVE = 24
WRAP = 0xFFFFFFFFFFFFFFFF
"""Instead of a length: the next entry is at the section's start."""

CHUNKS_AT = FRAMES_AT + FRAMES_BYTES
CHUNKS = 512
CHUNK_BYTES = 4096
CHUNK_HEAD = 64
CHUNK_THREAD = 0
CHUNK_TAKEN = 8
"""Rows of this chunk, from its start, that are in frames already."""
CHUNK = Struct("<QQ")
"""The beginning of a chunk's head: these two."""
ROW = Struct("<qqQQQQQQQ")
"""Start, duration, trace (high, low), parent, what, who, extra, span: the span id last."""
ROW_BYTES = ROW.size
ROW_SPAN = 64
ROWS = (CHUNK_BYTES - CHUNK_HEAD) // ROW_BYTES

SIZE = CHUNKS_AT + CHUNKS * CHUNK_BYTES

# --- the word `what` -------------------------------------------------------------------------
SITE_MASK = (1 << 32) - 1
STATUS_SHIFT = 32
STATUSES = ("unset", "ok", "error")
INHERITS = 1 << 40
"""Of an open span: its trace is the one of its parent, which is open too, and in here."""
HAS_TEXT = 1 << 41
"""Of an open span: its slot holds a text, which says what it is about: a request's line."""

EVENTS, LINKS = "\0events", "\0links"
"""Under these keys among a span's attributes in the notes: its events and links, as JSON."""

SUFFIX = ".ring"
FAULT_SUFFIX = ".fault"
"""Beside a ring: where the interpreter's `faulthandler` writes when a signal ends the process."""


def name_of(socket: str, process: bytes) -> str:
    """Name a process's files, without suffix: they are for the agent at this socket."""
    return f"{agent_of(socket)}.{process.hex()}"


def agent_of(socket: str) -> str:
    """Name an agent by where it listens: two agents on one machine never take the same rings."""
    from binascii import crc32

    return f"{crc32(socket.encode(errors='surrogateescape')):08x}"


def folder_of(socket: str, user: int) -> str:
    """Say where a user's rings are: in memory where there is such a place, else by the socket."""
    from os import access, path

    shared = "/dev/shm"  # noqa: S108 - made private to the user, and checked by whoever reads
    if access(shared, 0o3):
        return f"{shared}/qmon-{user}"
    return f"{path.dirname(socket) or '.'}/flight"
