"""Budgets by peer, and cutting streams, before a byte is decoded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.admission import Admission, Allowance
from qmon_agent.ingest.cutter import HOPELESS_BYTES, Cutter
from qmon_agent.ingest.outcome import Peer
from qmon_agent.settings import Admission as Options
from qmon_sdk.protocol.frames import MAX_FRAME_BYTES, pack_length

ADA, BOB = Peer(name="ada"), Peer(name="bob")


class Hand:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class TestAdmission:
    def test_lets_a_burst_pass_and_then_makes_its_sender_wait(self):
        admission = Admission(Options(frames_per_s=10, burst_s=2), now=Hand())

        waits = [admission.charge(ADA, 1) for _ in range(30)]

        assert [0.0] * 20 == waits[:20]
        assert 1.0 == waits[-1]

    def test_keeps_one_budget_for_each_peer(self):
        admission = Admission(Options(bytes_per_s=10, burst_s=1), now=Hand())

        assert (1.0, 0.0) == (admission.charge(ADA, 20), admission.charge(BOB, 10))

    def test_forgives_with_time(self):
        hand = Hand()
        admission = Admission(Options(bytes_per_s=10, burst_s=1), now=hand)
        admission.charge(ADA, 20)
        hand.now += 2

        assert 0.0 == admission.charge(ADA, 10)

    def test_gives_credit_for_the_memory_that_is_left(self):
        admission = Admission(Options(memory_bytes=100, peer_credit_bytes=80))
        admission.hold(50)

        assert 50 == admission.credit

    def test_calls_back_once_when_memory_is_free_again(self):
        admission, calls = Admission(Options(memory_bytes=100)), []
        admission.hold(150)
        admission.when_free(lambda: calls.append(admission.held))

        admission.release(20)
        admission.release(80)
        admission.release(50)

        assert [50] == calls


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 50)), max_size=30))
def test_nobody_gets_more_than_rate_and_burst(steps):
    """However one waits and spends, what passed without waiting stays within the law."""
    allowance, now, spent = Allowance(10, burst_s=2, now=0), 0.0, 0.0
    for pause, amount in steps:
        now += pause
        spent += amount
        if allowance.spend(amount, now) == 0:
            assert spent <= 20 + 10 * now + 1e-6


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 64))
def test_whatever_the_pieces_the_frames_are_the_same(frames, size):
    """Cutting undoes joining, for any way the network splits the stream."""
    stream = b"".join(map(pack_length, frames))
    cutter = Cutter()

    pieces = (stream[place : place + size] for place in range(0, len(stream), size))
    cut = [one.frame for piece in pieces for one in cutter.feed(piece)]

    assert frames == cut


class TestCutter:
    def test_passes_over_a_frame_too_large_and_goes_on(self):
        cutter, large = Cutter(), bytes(MAX_FRAME_BYTES + 1)

        cuts = [*cutter.feed(pack_length(large) + pack_length(b"next"))]

        assert [(4096, MAX_FRAME_BYTES + 1), (4, 4)] == [(len(c.frame), c.declared) for c in cuts]

    def test_holds_nothing_of_what_it_passes_over(self):
        cutter = Cutter()
        list(cutter.feed((64 << 20).to_bytes(4, "big") + bytes(4096)))

        for _ in range(100):
            list(cutter.feed(bytes(1 << 16)))

        assert 0 == len(cutter._held)

    def test_gives_up_on_a_stream_that_speaks_another_language(self):
        cutter = Cutter()

        list(cutter.feed(b"GET / HTTP/1.1\r\n" + bytes(8192)))

        assert cutter.is_hopeless
        assert int.from_bytes(b"GET ", "big") > HOPELESS_BYTES
