"""The flight ring of this process: memory that the agent can read when the process is gone.

`protocol.flight` says how it lies. Where there is no shared memory to be had, or no agent on this
machine to read it, the same bytes are private, and everything works but the reading.
"""

from __future__ import annotations

import mmap
import os
from itertools import count
from struct import Struct
from time import perf_counter_ns, process_time_ns, time_ns

from qmon_sdk.accelerator import speedups
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.flight import LENGTH, PERSON, SAMPLE, SESSION, WORD
from qmon_sdk.protocol.frames import pack
from qmon_sdk.protocol.signals import SIGNALS

from .byte_rings import Held, Notes
from .extras import Extras
from .leftovers import is_crowded, remember
from .people import PEOPLE
from .sites import SITES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qmon_sdk.protocol.frames import Ledger

    from .people import Who

_PAGE = os.sysconf("SC_PAGESIZE") if hasattr(os, "sysconf") else 4096
_COUNTERS = {kind: flight.CAPTURED + 8 * place for place, kind in enumerate(SIGNALS)}
_NO_ROWS = bytes(flight.CHUNK_BYTES)
NO_SLOT = flight.OPENS_AT
"""The slot of open spans and sessions that found none."""
TRASH = flight.CHUNKS_AT + flight.CHUNK_HEAD
"""Where rows go that are not to be kept."""
_CLOCK = Struct("<q")
_PUT_NS = 1_000_000  # less is no step of the calendar's clock, but how long it takes to read both
_RSS, _THREADS = 23, 19  # fields of `/proc/PID/stat`, from 0
_STARTED = 21


_stack = list if speedups is None else speedups.Stack


class Chunk:
    """A page of rows: in the ring, or beside it when the ring is full."""

    __slots__ = ("at", "buf", "words")

    def __init__(self, buf: memoryview, at: int) -> None:
        self.buf = buf
        self.words = buf.cast("Q")
        self.at = at

    def begin(self, thread: int) -> range:
        """Make it a thread's, and say where its rows are."""
        flight.CHUNK.pack_into(self.buf, self.at, thread, 0)
        first = self.at + flight.CHUNK_HEAD
        return range(first, first + flight.ROWS * flight.ROW_BYTES, flight.ROW_BYTES)

    def read(self, start: int, end: int) -> bytes:
        """Copy rows."""
        first = self.at + flight.CHUNK_HEAD
        return bytes(self.buf[first + start * flight.ROW_BYTES : first + end * flight.ROW_BYTES])

    def taken(self, rows: int) -> None:
        """Say how many of its rows are in frames."""
        WORD.pack_into(self.buf, self.at + flight.CHUNK_TAKEN, rows)

    def clear(self) -> None:
        """Make it ready for others; what is in it is in frames."""
        first = self.at + flight.CHUNK_HEAD
        self.buf[first : self.at + flight.CHUNK_BYTES] = _NO_ROWS[flight.CHUNK_HEAD :]


class Ring:
    """One process's ring, open for writing from any thread."""

    def __init__(self, path: str, process: bytes, *, spare: int = 0) -> None:
        """Make it at `path` (empty: in private memory); `spare` bytes of rows more beside it."""
        self.process = process
        self.clock = 0
        """What to add to a span's times to get nanoseconds since 1970, steady for a while."""
        self.trouble = ""
        self._descriptor = -1
        self.path = ""
        self.buf = memoryview(self._mapped(path) if path else private(flight.SIZE))
        self.words = self.buf.cast("Q")
        self.is_shared = bool(self.path)
        self.notes = Notes(self.buf)
        self.held = Held(self.buf)
        self.extras = Extras()
        """What was said of spans; its recorder puts in what keeps it."""
        self.opens = _stack(_slots(flight.OPENS_AT, flight.OPENS, flight.OPEN_BYTES))
        self._sessions = _slots(flight.SESSIONS_AT, flight.SESSIONS, flight.SESSION_BYTES)
        self._chunks = [
            Chunk(self.buf, at)
            for at in _slots(flight.CHUNKS_AT, flight.CHUNKS, flight.CHUNK_BYTES)
        ]
        self._spare = spare
        self._names_end = flight.NAMES_AT
        self._sample = count()
        self._wanted = path  # there, or for want of room where it should be
        self._looks = count()

    # --- its life -----------------------------------------------------------------------------

    def _mapped(self, path: str) -> mmap.mmap:
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            if is_crowded(path):
                raise ValueError("no agent has taken those that lie there")
            remember(path)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            self.path = path
            self._claim()
            # Without its pages set aside, a full memory file system would kill the program.
            os.posix_fallocate(self._descriptor, 0, flight.SIZE)
            return mmap.mmap(self._descriptor, flight.SIZE)
        except (OSError, ValueError, AttributeError) as error:
            self.trouble = f"flight ring {path}: {getattr(error, 'strerror', '') or error}"
            self.remove()
            return private(flight.SIZE)

    def _claim(self) -> None:
        from fcntl import LOCK_EX, LOCK_NB, lockf

        lockf(self._descriptor, LOCK_EX | LOCK_NB)

    def take_off(self, resource: bytes) -> None:
        """Say who this is, and from now on be worth reading."""
        self.buf[flight.PROCESS : flight.PROCESS + 16] = self.process
        self._store(flight.PID, os.getpid())
        self._store(flight.STARTED, int(_stat()[_STARTED]))
        self._store(flight.PID_NAMESPACE, _pid_namespace())
        self._store(flight.NOTED, 8)
        self.tell_time()
        if len(resource) + LENGTH.size < flight.RESOURCE_BYTES:
            self._blob(flight.RESOURCE_AT, resource)
        self.name(SITES.packed())
        for who in PEOPLE.everybody():
            self.introduce(who)
        self._store(flight.STATE, flight.FLYING)
        self.buf[: len(flight.MAGIC)] = flight.MAGIC

    def land(self, *, is_empty: bool) -> None:
        """End in good order: what is left in it counts, but nobody died."""
        self._store(flight.STATE, flight.LANDED)
        if is_empty:
            self.remove()

    def remove(self) -> None:
        """Take the file away; the memory stays until nobody refers to it."""
        path, self.path = self.path, ""
        if path:
            try:
                os.unlink(path)
            except OSError:
                pass
        self._let_go()

    def abandon(self) -> None:
        """Leave it to the process that this one was forked from."""
        self.path = ""
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # --- chunks -------------------------------------------------------------------------------

    def chunk(self) -> Chunk | None:
        """Give out a free chunk, one beside the ring if all of its own are taken, or none."""
        try:
            return self._chunks.pop()
        except IndexError:
            return self._extend()

    @property
    def is_filling(self) -> bool:
        """Whether fewer than half of its own chunks are free."""
        return len(self._chunks) < flight.CHUNKS // 2

    def give_back(self, chunk: Chunk) -> None:
        """Take a chunk back that is clear."""
        self._chunks.append(chunk)

    def _extend(self) -> Chunk | None:
        """Make room for a crowd, or a moment of it, in memory that a kill takes with it."""
        spare, self._spare = self._spare, 0
        if spare < flight.CHUNK_BYTES:
            return None
        # The offsets of a ring's rows are valid here too: those of `TRASH` above all.
        chunks = spare // flight.CHUNK_BYTES
        buf = memoryview(private(flight.CHUNKS_AT + (chunks + 1) * flight.CHUNK_BYTES))
        self._chunks[:0] = [
            Chunk(buf, at) for at in _slots(flight.CHUNKS_AT, chunks + 1, flight.CHUNK_BYTES)
        ]
        return self._chunks.pop()

    # --- tables -------------------------------------------------------------------------------

    def name(self, entries: bytes) -> None:
        """Name sites; those past the section's end stay without a name for a reader."""
        at = self._names_end
        end = at + len(entries)
        if end + LENGTH.size > flight.NAMES_AT + flight.NAMES_BYTES or not entries:
            return
        self._names_end = end
        self.buf[at + LENGTH.size : end] = entries[LENGTH.size :]
        self.buf[at : at + LENGTH.size] = entries[: LENGTH.size]

    def introduce(self, who: Who) -> None:
        """Say who a number stands for."""
        at = flight.PEOPLE_AT + who % flight.PEOPLE * flight.PERSON_BYTES
        user, session = _bytes(who.user_id)[:148], _bytes(who.session_id)[:32]
        self._store(at, 0)
        PERSON.pack_into(self.buf, at, 0, len(user), len(session), user + session)
        self._store(at, who)

    def open_session(self, facts: tuple[str, str, str, int]) -> int:
        """Note an open session (id, mode, user, start), and return its slot."""
        try:
            at = self._sessions.pop()
        except IndexError:
            return 0
        identity, mode, user, started = facts
        SESSION.pack_into(
            self.buf, at + 8, started, 0, _bytes(identity), _bytes(mode), _bytes(user)
        )
        self._store(at, 1)
        return at

    def session_errors(self, at: int, errors: int) -> None:
        """Note how many errors there were in an open session."""
        if at:
            self._store(at + flight.SESSION_ERRORS, errors)

    def close_session(self, at: int) -> None:
        """Note that a session has ended."""
        if at:
            self._store(at, 0)
            self._sessions.append(at)

    # --- head ---------------------------------------------------------------------------------

    def tell_time(self) -> None:
        """Note how the clock of spans goes beside the calendar's, when somebody has put that."""
        clock = time_ns() - perf_counter_ns()
        if abs(clock - self.clock) > _PUT_NS:
            self.clock = clock
            _CLOCK.pack_into(self.buf, flight.CLOCK, clock)

    def look(self) -> None:
        """Note time and weight; the second time, a second later, also who has left what here."""
        self.tell_time()
        self.sample()
        folder = os.path.dirname(self._wanted)
        if folder and next(self._looks) == 1:
            from .expiry import expire  # few processes live so long

            expire(folder)

    def sample(self) -> None:
        """Note what the process weighs, where somebody may read it."""
        if not self.is_shared:
            return
        fields = _stat()
        place = next(self._sample) % flight.SAMPLES
        rss, threads = int(fields[_RSS]) * _PAGE, int(fields[_THREADS])
        at = flight.SAMPLES_AT + place * SAMPLE.size
        SAMPLE.pack_into(self.buf, at, time_ns(), rss, process_time_ns(), threads)

    def go_on_after(self, sequence: int) -> None:
        """Note a number that was given already."""
        if sequence > self.words[flight.SEQUENCE >> 3]:  # threads may overtake each other
            self._store(flight.SEQUENCE, sequence)

    def hold(
        self, sequence: int, message: bytes, counts: dict[str, int], *, logged: int = 0
    ) -> None:
        """Keep a message until it is acknowledged, and add what it carries to what was captured."""
        if not self.is_shared:
            return
        self.held.hold(sequence, message, logged)
        self.go_on_after(sequence)
        for kind, n in counts.items():
            self.words[_COUNTERS[kind] >> 3] += n
        if logged:
            self._store(flight.LOGGED, logged)

    def tell(self, ledger: Ledger, *, unsent: dict[str, int]) -> None:
        """Note the books, but for what `hold` will add."""
        for kind, n in ledger.captured.items():
            self._store(_COUNTERS[kind], n - unsent.get(kind, 0))
        dropped = pack(ledger.dropped)
        if len(dropped) + LENGTH.size < flight.LEDGER_BYTES:
            self._blob(flight.LEDGER_AT, dropped)

    def _blob(self, at: int, data: bytes) -> None:
        LENGTH.pack_into(self.buf, at, 0)
        start = at + LENGTH.size
        self.buf[start : start + len(data)] = data
        LENGTH.pack_into(self.buf, at, len(data))

    def _store(self, at: int, value: int) -> None:
        WORD.pack_into(self.buf, at, value)


def private(size: int) -> mmap.mmap:
    """Map memory that a forked child has a copy of; a page of it costs nothing until it is used."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _slots(at: int, number: int, size: int) -> list[int]:
    """List the places of a table but the first, the lowest last, to be taken first."""
    return list(range(at + (number - 1) * size, at, -size))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _stat() -> list[str]:
    """Read `/proc/self/stat`; zeros where there is none."""
    try:
        with open("/proc/self/stat", "rb", buffering=0) as file:
            text = (file.read() or b"").decode("latin-1")
    except OSError:
        return ["0"] * 52
    # The name in brackets may hold anything, brackets and spaces too.
    return ["", "", *text.rpartition(")")[2].split()]


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
