"""The socket transports against a real listener that answers, hangs, leaves and returns."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ports import free_port

from qmon_sdk.protocol.frames import Ack, Frame, encode_ack, encode_frame, pack_length, peek
from qmon_sdk.settings import Settings
from qmon_sdk.transports import open_transport

PROCESS = bytes(range(16))
KINDS = ("packets", "stream", "tcp")


def message(sequence: int, *, size: int = 0) -> bytes:
    frame = Frame(process=PROCESS, sequence=sequence, sent=len(b"x" * size))
    return pack_length(encode_frame(frame) + bytes(size))


class Receiver:
    """A listener of our own, one connection at a time, that shows what really arrived."""

    def __init__(self, kind: str, place: Path) -> None:
        self.kind, self.place, self.port = kind, place, free_port() if kind == "tcp" else 0
        self.inbox = b""
        self.connection = None
        self.open()

    def open(self) -> None:
        family = socket.AF_INET if self.kind == "tcp" else socket.AF_UNIX
        packets = socket.SOCK_SEQPACKET if self.kind == "packets" else socket.SOCK_STREAM
        self.listener = socket.socket(family, packets)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port) if self.kind == "tcp" else str(self.place))
        self.listener.listen(8)
        self.listener.settimeout(60)  # a program that starts may have to compile gevent first

    @property
    def dsn(self) -> str:
        return f"tcp://127.0.0.1:{self.port}" if self.kind == "tcp" else f"unix://{self.place}"

    def accept(self) -> None:
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(5)

    def frames(self, count: int) -> list[int]:
        """The next `count` sequences that arrive."""
        found = []
        while len(found) < count:
            if len(self.inbox) < 4 or len(self.inbox) < 4 + self._length():
                data = self.connection.recv(1 << 20)
                assert data, "the connection ended"
                self.inbox += data
                continue
            end = 4 + self._length()
            found.append(peek(self.inbox[4:end]).sequence)
            self.inbox = self.inbox[end:]
        return found

    def _length(self) -> int:
        return int.from_bytes(self.inbox[:4], "big")

    def acknowledge(self, *sequences: int, credit: int = 0, rejected=()) -> None:
        ack = Ack(sequences=sequences, credit=credit, rejected=rejected)
        self.connection.sendall(pack_length(encode_ack(ack)))

    def leave(self) -> None:
        self.inbox = b""
        for sock in (self.connection, self.listener):
            if sock is not None:
                sock.close()
        with contextlib.suppress(FileNotFoundError):
            self.place.unlink()


@pytest.fixture(params=KINDS)
def receiver(request, tmp_path):
    receiver = Receiver(request.param, tmp_path / "agent.sock")
    yield receiver
    receiver.leave()


@pytest.fixture
def transport(receiver):
    transport = opened(receiver.dsn)
    transport.poll()
    receiver.accept()
    poll_until(transport, lambda poll: poll.connected and transport.send(message(0)))
    assert [0] == receiver.frames(1)
    yield transport
    transport.close()


def opened(dsn: str):
    return open_transport(Settings(dsn=dsn))


@contextlib.contextmanager
def linked(kind: str, path: Path):
    """A unix transport and the receiver it is connected to."""
    receiver = Receiver(kind, path)
    transport = opened(receiver.dsn)
    receiver.accept()
    yield transport, receiver
    transport.close()
    receiver.leave()


def poll_until(transport, wanted, *, seconds: float = 5.0):
    deadline = time.monotonic() + seconds
    while not wanted(poll := transport.poll()):
        assert time.monotonic() < deadline, f"waited in vain: {poll} {transport.trouble}"
        time.sleep(0.005)
    return poll


def fill(transport) -> int:
    """Send until it takes no more; answers how many it took."""
    taken = 0
    while transport.send(message(taken + 1, size=60_000)):
        taken += 1
    return taken


def leave_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))


class TestEveryLink:
    def test_carries_frames_to_the_agent(self, transport, receiver):
        assert all(transport.send(message(n)) for n in (1, 2, 3))

        assert [1, 2, 3] == receiver.frames(3)

    def test_brings_back_acknowledgements_credit_and_refusals(self, transport, receiver):
        receiver.acknowledge(1, 2, credit=10)
        receiver.acknowledge(3, credit=7, rejected=((4, "oversize"),))

        polls = [poll_until(transport, lambda poll: poll.acknowledged)]
        while 3 not in polls[-1].acknowledged:
            polls.append(poll_until(transport, lambda poll: poll.acknowledged))

        assert (1, 2, 3) == sum((poll.acknowledged for poll in polls), ())
        assert 7 == polls[-1].credit
        assert ((4, "oversize"),) == polls[-1].rejected

    def test_says_no_instead_of_waiting_when_the_agent_does_not_read(self, transport):
        begun = time.monotonic()
        taken = fill(transport)

        assert taken > 1
        assert not transport.send(message(99))
        assert time.monotonic() - begun < 5

    def test_loses_nothing_it_took_when_the_agent_reads_again(self, transport, receiver):
        taken = fill(transport)
        reader = threading.Thread(target=lambda: result.extend(receiver.frames(taken)))
        result = []
        reader.start()
        while reader.is_alive():
            transport.poll()
            reader.join(0.005)

        assert list(range(1, taken + 1)) == result

    def test_notices_that_the_agent_left_and_says_so(self, transport, receiver):
        receiver.leave()

        poll_until(transport, lambda poll: not poll.connected)
        assert not transport.send(message(1))
        assert receiver.dsn in transport.trouble

    def test_finds_a_broken_connection_by_sending(self, transport, receiver):
        receiver.leave()

        deadline = time.monotonic() + 5
        while transport.send(message(1)):
            assert time.monotonic() < deadline
        assert "closed" in transport.trouble

    def test_comes_back_once_and_asks_to_send_again(self, transport, receiver):
        receiver.leave()
        poll_until(transport, lambda poll: not poll.connected)
        receiver.open()

        poll_until(transport, lambda poll: poll.reconnected)
        assert not transport.poll().reconnected
        receiver.accept()
        assert transport.send(message(5))
        assert [5] == receiver.frames(1)
        assert "" == transport.trouble

    def test_pauses_longer_and_longer_while_nobody_is_there(self, transport, receiver):
        receiver.leave()
        attempts, dial = [], transport._dial
        transport._dial = lambda: attempts.append(time.monotonic()) or dial()
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            transport.poll()

        assert 2 <= len(attempts) <= 8

    def test_treats_an_answer_that_makes_no_sense_as_a_broken_connection(self, transport, receiver):
        receiver.connection.sendall(pack_length(b"\xc1 no msgpack"))

        poll_until(transport, lambda poll: not poll.connected)
        assert "makes no sense" in transport.trouble

    def test_takes_whole_messages_from_many_threads_at_once(self, transport, receiver):
        sequences = iter(range(1, 401))
        senders = [threading.Thread(target=send_all, args=(transport, sequences)) for _ in range(8)]
        for sender in senders:
            sender.start()

        assert list(range(1, 401)) == sorted(receiver.frames(400))
        for sender in senders:
            sender.join()

    def test_close_ends_it_for_good(self, transport):
        transport.close()
        transport.close()

        assert not transport.send(message(1))
        assert not transport.poll().connected


def send_all(transport, sequences) -> None:
    for sequence in sequences:
        while not transport.send(message(sequence, size=sequence * 7)):
            time.sleep(0.001)


class TestUnix:
    """What only the way by file name can meet."""

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "agent.sock"

    @pytest.mark.parametrize("kind", ["packets", "stream"])
    def test_is_connected_before_the_first_poll(self, kind, path):
        receiver = Receiver(kind, path)
        transport = opened(receiver.dsn)
        assert transport.send(message(1))
        receiver.accept()

        assert [1] == receiver.frames(1)
        transport.close()
        receiver.leave()

    @pytest.mark.parametrize(
        ("prepare", "words"),
        [
            (lambda path: None, "no such socket"),
            (lambda path: path.write_text("a file"), "nobody listens"),
            (leave_stale, "nobody listens"),
        ],
    )
    def test_explains_why_nobody_can_be_reached(self, prepare, words, path):
        prepare(path)
        transport = opened(f"unix://{path}")

        assert not transport.poll().connected
        assert words in transport.trouble

    def test_explains_that_a_path_cannot_be(self):
        transport = opened("unix:///run/\ud800.sock")

        assert not transport.send(message(1))
        assert "surrogates" in transport.trouble

    def test_explains_that_a_path_is_too_long(self, tmp_path):
        transport = opened(f"unix://{tmp_path}/{'x' * 120}.sock")

        assert not transport.send(message(1))
        assert "too long" in transport.trouble

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to become")
    def test_explains_that_it_may_not_connect(self, tmp_path):
        path = Path(f"/tmp/qmon-{os.getpid()}.sock")
        receiver = Receiver("packets", path)
        path.chmod(0o600)
        done = subprocess.run(
            [sys.executable, "-c", SAYS_ITS_TROUBLE, receiver.dsn],
            capture_output=True,
            text=True,
            check=True,
        )

        assert "no permission" in done.stdout
        receiver.leave()

    def test_a_message_beyond_the_socket_is_refused_and_harms_nothing(self, path):
        with linked("packets", path) as (transport, receiver):
            assert not transport.send(bytes(64 << 20))
            assert transport.send(message(1))
            assert [1] == receiver.frames(1)

    def test_takes_a_message_of_its_largest_size(self, path):
        with linked("packets", path) as (transport, _):
            while not transport.send(bytes(largest := transport.largest)):
                # The kernel had no piece of memory of that size.
                assert transport.largest < largest

    def test_a_message_the_kernel_has_no_piece_for_makes_the_largest_smaller(self, path):
        with linked("packets", path) as (transport, _):
            before = transport.largest
            assert not transport.send(bytes(2 * before - 2))
            assert transport.largest == before - 1

    def test_spares_a_program_that_restored_sigpipe(self, path):
        done = subprocess.run(
            [sys.executable, "-c", SENDS_TO_THE_DEPARTED, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert (0, "alive\n") == (done.returncode, done.stdout)

    def test_a_child_closing_its_copy_leaves_the_parents_connection_alone(self, path):
        with linked("packets", path) as (transport, receiver):
            if (child := os.fork()) == 0:
                transport.close()
                os._exit(0)
            os.waitpid(child, 0)

            assert transport.send(message(1))
            assert [1] == receiver.frames(1)

    def test_a_child_does_not_write_into_the_parents_stream(self, path):
        with linked("stream", path) as (transport, receiver):
            if (child := os.fork()) == 0:
                os._exit(transport.send(message(7)))

            assert (child, 0) == os.waitpid(child, 0)
            assert transport.send(message(1))
            assert [1] == receiver.frames(1)

    def test_what_was_sent_can_be_read_after_kill_9(self, path):
        receiver = Receiver("packets", path)
        killed = subprocess.run([sys.executable, "-c", SENDS_AND_DIES, receiver.dsn], check=False)

        assert -signal.SIGKILL == killed.returncode
        receiver.accept()
        assert list(range(1, 42)) == receiver.frames(41)
        receiver.leave()


class TestUnderMonkeyPatching:
    """gevent turns sockets, locks and threads into its own; ours stay the system's."""

    @pytest.mark.parametrize("order", ["patched first", "patched later"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_sends_from_a_greenlet_and_a_thread(self, order, kind, tmp_path):
        pytest.importorskip("gevent")
        receiver = Receiver(kind, tmp_path / "agent.sock")
        patch = "from gevent import monkey; monkey.patch_all()\n"
        program = patch + USES_GREENLETS if order == "patched first" else USES_GREENLETS
        program = program.replace("# patched later", "" if order == "patched first" else patch)
        child = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program, receiver.dsn])
        receiver.accept()

        assert list(range(1, 21)) == sorted(receiver.frames(20))
        assert 0 == child.wait(10)
        receiver.leave()


COMMON = """
import os, signal, sys, threading, time
from qmon_sdk.protocol.frames import Frame, encode_frame, pack_length
from qmon_sdk.settings import Settings
from qmon_sdk.transports import open_transport
def message(n):
    return pack_length(encode_frame(Frame(process=bytes(16), sequence=n)))
"""

SAYS_ITS_TROUBLE = (
    COMMON
    + """
import qmon_sdk.transports.unix
os.setuid(65534)
print(open_transport(Settings(dsn=sys.argv[1])).trouble)
"""
)

SENDS_AND_DIES = (
    COMMON
    + """
transport = open_transport(Settings(dsn=sys.argv[1]))
assert all(transport.send(message(n)) for n in range(1, 42))
os.kill(os.getpid(), signal.SIGKILL)
"""
)

SENDS_TO_THE_DEPARTED = (
    COMMON
    + """
import socket
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(sys.argv[1])
    listener.listen()
    transport = open_transport(Settings(dsn="unix://" + sys.argv[1]))
    connection, _ = listener.accept()
    connection.close()
    listener.close()
    assert not transport.send(message(1))
    os.unlink(sys.argv[1])
    transport.close()
print("alive")
"""
)

USES_GREENLETS = (
    COMMON
    + """
transport = open_transport(Settings(dsn=sys.argv[1]))
# patched later
import gevent
from qmon_sdk.transports.originals import start_new_thread, allocate_lock, sleep
while not transport.poll().connected:
    time.sleep(0.01)
def put(n):
    while not transport.send(message(n)):  # another thread is about it
        sleep(0.001)
def send(numbers):
    for n in numbers:
        put(n)
        gevent.sleep(0)
greenlets = [gevent.spawn(send, range(first, first + 5)) for first in (1, 6)]
done = allocate_lock()
done.acquire()
def native():
    for n in range(11, 21):
        put(n)
    done.release()
start_new_thread(native, ())
gevent.joinall(greenlets, raise_error=True)
assert done.acquire(True, 5)
transport.close()
"""
)
