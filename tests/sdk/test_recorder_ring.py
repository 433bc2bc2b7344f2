"""The flight ring: whatever a process has recorded can be read without it."""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.context import add_breadcrumb, new_scope, set_user
from qmon_sdk.decorators import instrument
from qmon_sdk.logs import log
from qmon_sdk.middleware.wsgi import wsgi
from qmon_sdk.protocol import flight
from qmon_sdk.protocol.flight_reader import read_flight
from qmon_sdk.recorder.byte_rings import Held, Notes
from qmon_sdk.recorder.leftovers import MOST
from qmon_sdk.recorder.ring import Ring
from qmon_sdk.sessions import session
from qmon_sdk.spans import span
from qmon_sdk.start import flush, shutdown, stats

PROCESS = bytes(range(16))


@instrument
def work(n):
    return n


@pytest.fixture
def ring(tmp_path):
    made = Ring(str(tmp_path / "here.ring"), PROCESS)
    made.take_off(b"\x90")
    yield made
    made.remove()


@pytest.fixture
def flying(told, tmp_path):
    """An SDK whose ring is a file, and how to read that file."""
    told.begin(flight_dir=str(tmp_path / "flight"), flush_interval_s=60)

    def read():
        (path,) = (tmp_path / "flight").glob("*.ring")
        return read_flight(path.read_bytes())

    return read


class TestWhatARingHolds:
    def test_is_every_span_that_has_ended_and_is_in_no_frame(self, flying):
        for n in range(3 * flight.ROWS):
            work(n)
        with span("paid", amount=3):
            pass

        seen = flying()
        assert len(seen.spans) == 3 * flight.ROWS + 1
        assert {"amount": "3"} == next(one for one in seen.spans if one.name == "paid").attributes

    def test_is_nothing_twice(self, flying, told):
        work(1)
        flush()
        work(2)

        assert len(flying().spans) == 1
        assert {"span": 2} == flying().ledger.captured

    def test_is_every_span_that_is_open_with_its_trace_and_user(self, flying):
        with span("outer"):
            set_user({"id": "ada"})
            with span("inner"):
                outer, inner = sorted(flying().open_spans, key=lambda one: one.span.time)

        assert ("outer", "inner") == (outer.span.name, inner.span.name)
        assert (outer.span.trace_id, outer.span.span_id) == (
            inner.span.trace_id,
            inner.span.parent_id,
        )
        assert ("ada", "ada") == (outer.span.user_id, inner.span.user_id)
        assert flying().open_spans == ()

    def test_is_the_instrumented_function_that_runs(self, flying):
        @instrument(name="outer")
        def outer():
            return inner()

        @instrument(name="inner")
        def inner():
            return flying().open_spans

        found = {one.span.name: one.span for one in outer()}
        assert found["inner"].parent_id == found["outer"].span_id
        assert found["inner"].trace_id == found["outer"].trace_id

    def test_is_every_log_line_that_is_in_no_frame(self, flying):
        log.info("sent {n}", n=1)
        flush()
        log.info("waiting {n}", n=2)

        assert ["waiting 2"] == [line.body for line in flying().kept]

    def test_is_every_log_line_once_wherever_the_process_is_killed(self, flying, told, tmp_path):
        """Even between the two stores that say that a frame has it."""
        told.transport.acknowledges = False
        for n in range(3):
            log.info("line {n}", n=n)
        (path,) = (tmp_path / "flight").glob("*.ring")
        before = path.read_bytes()
        flush(timeout=0)
        after = bytearray(path.read_bytes())
        after[flight.LOGGED : flight.NOTED] = before[flight.LOGGED : flight.NOTED]

        assert [(3, 0), (0, 1)] == [
            (len(read.kept), len(read.frames)) for read in map(read_flight, (before, bytes(after)))
        ]

    def test_is_what_happened_before(self, flying):
        work(1)
        add_breadcrumb("opened the door")

        assert "opened the door" in flying().breadcrumbs[-1]
        assert flying().samples[0].rss > 1 << 20

    def test_is_what_happened_in_scopes_that_have_not_ended(self, flying):
        def said():
            return [json.loads(crumb)["message"] for crumb in flying().breadcrumbs]

        add_breadcrumb("began")
        with session(user="ada"):
            add_breadcrumb("ada's")
        with new_scope(tags={"a": 1}):
            add_breadcrumb("outside", data={"scope": "1"})
            with new_scope():
                add_breadcrumb("inside")
            assert ["began", "outside"] == said()

        assert ["began"] == said()

    def test_is_what_happened_in_requests_that_are_answered(self, flying):
        seen = []

        def answer(environ, start_response):
            add_breadcrumb(environ["PATH_INFO"])
            seen.append([json.loads(crumb) for crumb in flying().breadcrumbs])
            start_response("200 OK", [])
            return [b""]

        for path in ("/ada", "/eve"):
            environ = {"PATH_INFO": path}
            setup_testing_defaults(environ)
            list(wsgi(answer)(environ, lambda *_: None))

        assert ["/ada", "/eve"] == [crumb["message"] for (crumb,) in seen]
        assert "scope" not in seen[0][0]

    def test_is_the_sessions_that_have_not_ended(self, flying):
        with session(user="ada") as opened:
            (seen,), its_id = flying().sessions, opened.session_id

        assert (its_id, "ada") == (seen.session_id, seen.user_id)
        assert flying().sessions == ()

    def test_is_gone_when_the_process_ends_well(self, flying, tmp_path):
        work(1)
        shutdown()

        assert list((tmp_path / "flight").iterdir()) == []


class TestARingThatIsFull:
    def test_counts_what_found_no_place(self, told):
        told.begin(flush_interval_s=60, max_buffer_bytes=0)
        number = (flight.CHUNKS + 50) * flight.ROWS
        for n in range(number):
            work(n)
        flush()
        books = stats()
        assert books.captured["span"] == number
        assert len(told.spans) + books.dropped.get("span/queue_overflow", 0) == number

    def test_goes_on_in_private_memory_where_there_is_none_to_share(self, told, tmp_path):
        (tmp_path / "file").write_text("")
        told.begin(flight_dir=str(tmp_path / "file" / "no-folder"))

        work(1)

        assert len(told.spans) == 1


class TestMessagesHeld:
    @given(st.lists(st.tuples(st.booleans(), st.integers(1, 1 << 17)), max_size=60))
    def test_are_all_there_until_they_are_released(self, steps):
        memory = memoryview(mmap.mmap(-1, flight.SIZE))
        held, live = Held(memory), []
        for sequence, (release, size) in enumerate(steps, 1):
            if release and live:
                held.release(live.pop(size % len(live)))
            else:
                held.hold(sequence, bytes([sequence]) * size)
                live += [sequence] if sequence in held._places else []
            assert sorted(live) == sorted(_walked(memory))


def _walked(memory):
    """The sequences of live messages, as a reader walks them."""
    at, end = (
        flight.WORD.unpack_from(memory, n)[0] for n in (flight.FRAMES_TAIL, flight.FRAMES_HEAD)
    )
    while at != end:
        if at > flight.FRAMES_BYTES - flight.HELD.size:
            at = 0
            continue
        length, sequence, _, live = flight.HELD.unpack_from(memory, flight.FRAMES_AT + at)
        if length == flight.WRAP:
            at = 0
            continue
        start = flight.FRAMES_AT + at + flight.HELD.size
        if live:
            assert bytes(memory[start : start + length]) == bytes([sequence]) * length
            yield sequence
        at = (at + flight.HELD.size + (length + 7 & ~7)) % flight.FRAMES_BYTES


class TestNotes:
    @given(st.lists(st.binary(max_size=20_000), min_size=1, max_size=60))
    def test_keep_the_newest_whole(self, payloads):
        memory = memoryview(bytearray(flight.SIZE))
        notes = Notes(memory)
        places = [notes.add(flight.CRUMB, payload) for payload in payloads]
        memory[: len(flight.MAGIC)] = flight.MAGIC
        crumbs = read_flight(bytes(memory)).breadcrumbs

        newest = [payload.rstrip(b"\0").decode("utf-8", "replace") for payload in payloads]
        assert all(places)
        assert newest[-len(crumbs) :] == list(crumbs)
        assert sum(map(len, payloads)) > flight.NOTES_BYTES // 2 or len(crumbs) == len(payloads)


FORKING = """
import os, sys
import qmon_sdk as qmon
qmon.init(integrations=(), dsn="unix:" + sys.argv[1], flight_dir=sys.argv[2],
          spool_dir=sys.argv[3], flush_interval_s=60)

@qmon.instrument
def work(n):
    return n

@qmon.instrument
def fork():
    if not os.fork():
        for n in range(500):
            work(n)
        os._exit(0)
    os.wait()

work(1)
fork()
os._exit(0)
"""


class TestAForkedChild:
    def test_has_a_ring_of_its_own(self, tmp_path):
        places = [tmp_path / name for name in ("agent.sock", "flight", "spool")]
        subprocess.run([sys.executable, "-c", FORKING, *places], check=True)

        flights = [read_flight(path.read_bytes()) for path in places[1].glob("*.ring")]
        by_size = sorted(flights, key=lambda one: len(one.spans))
        assert [1, 500] == [len(one.spans) for one in by_size]
        assert by_size[0].pid != by_size[1].pid


class TestTheLock:
    def test_is_held_as_long_as_the_process_lives(self, ring):
        trying = (
            "import fcntl, os, sys\n"
            "fcntl.lockf(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        )
        command = [sys.executable, "-c", trying, ring.path]
        done = subprocess.run(command, check=False, capture_output=True)

        assert b"BlockingIOError" in done.stderr
        assert Path(ring.path).stat().st_mode & 0o777 == 0o600


class TestWhoseRingItIs:
    def test_is_the_agent_at_the_socket_that_the_dsn_names(self, told, tmp_path):
        told.begin(dsn=f"unix://{tmp_path}/other.sock", flight_dir=str(tmp_path))
        work(1)
        (path,) = tmp_path.glob("*.ring")

        assert path.name.startswith(flight.agent_of(f"{tmp_path}/other.sock"))


class TestRingsThatNobodyTakes:
    """They are memory, and a program that dies at every start makes one each time."""

    @pytest.fixture
    def leave(self, tmp_path):
        def leave(number, agent="a"):
            for n in range(number):
                (tmp_path / f"{agent}.{n:032x}.ring").write_bytes(b"")

        return leave

    def test_are_joined_by_no_more_when_they_are_too_many(self, leave, tmp_path):
        leave(MOST + 1)
        ring = Ring(str(tmp_path / "a.new.ring"), PROCESS)

        assert not ring.is_shared
        assert "no agent has taken" in ring.trouble

    def test_do_not_count_for_another_agent(self, leave, tmp_path):
        leave(MOST + 1, "b")
        ring = Ring(str(tmp_path / "a.new.ring"), PROCESS)
        ring.remove()

        assert not ring.trouble

    def test_are_not_those_of_processes_that_live(self, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-c", HOLDERS, str(tmp_path), str(MOST + 1)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as living:
            living.stdout.readline()
            ring = Ring(str(tmp_path / "a.new.ring"), PROCESS)
            living.stdin.close()
        ring.remove()

        assert not ring.trouble

    def test_are_not_those_of_this_process_which_keep_their_lock(self, leave, tmp_path):
        mine = Ring(str(tmp_path / "a.mine.ring"), PROCESS)
        leave(MOST - 1)
        ring = Ring(str(tmp_path / "a.new.ring"), PROCESS)
        is_locked = subprocess.run(
            [sys.executable, "-c", TRIES, str(tmp_path / "a.mine.ring")], check=False
        ).returncode
        ring.remove()
        mine.remove()

        assert (0, "") == (is_locked, ring.trouble)


HOLDERS = """
import fcntl, sys
held = [open(f"{sys.argv[1]}/a.{n:032x}.ring", "w+b") for n in range(int(sys.argv[2]))]
for file in held:
    fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""
TRIES = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "r+b"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit(0)
sys.exit(1)
"""


AT_ONCE = """
import signal, sys
import qmon_sdk as qmon
from qmon_sdk.client import current
qmon.init(integrations=(), dsn="unix:" + sys.argv[1], flight_dir=sys.argv[2],
          spool_dir=sys.argv[3], flush_interval_s=60)

@qmon.instrument
def work(*_):
    return 1

signal.signal(signal.SIGALRM, work)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
while not work() or len(current().recorder._rings) < 1:
    pass
signal.setitimer(signal.ITIMER_REAL, 0)
work()
print(qmon.stats().trouble)
sys.stdout.flush()
signal.raise_signal(signal.SIGKILL)
"""


class TestARingMadeTwiceAtOnce:
    def test_is_one_and_shared(self, tmp_path):
        places = [tmp_path / name for name in ("agent.sock", "flight", "spool")]
        command = [sys.executable, "-c", AT_ONCE, *places]
        done = subprocess.run(command, check=False, capture_output=True, text=True)

        (ring,) = places[1].glob("*.ring")
        assert (done.stdout, done.stderr) == ("{}\n", "")
        assert len(read_flight(ring.read_bytes()).spans) >= 1
