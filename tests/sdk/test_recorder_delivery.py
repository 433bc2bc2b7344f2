"""Delivery: nothing recorded goes missing without a reason, whatever the agent does."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.decorators import instrument
from qmon_sdk.protocol.frames import Frame, decode_frame, encode_frame
from qmon_sdk.protocol.spooled import taken
from qmon_sdk.recorder.delivery import Delivery
from qmon_sdk.start import flush, shutdown, stats
from qmon_sdk.stats import Books
from qmon_sdk.transports import Poll


@instrument
def work(n):
    return n


class Road:
    """A way to the agent that does what the test says: takes or refuses, answers or is silent."""

    largest = 1 << 20
    trouble = ""

    def __init__(self, credit=None):
        self.open, self.full, self.was_open, self.credit = True, False, True, credit
        self.arrived, self.unanswered = [], []

    def send(self, message):
        if not self.open or self.full:
            return False
        self.arrived.append(message)
        self.unanswered.append(decode_frame(message[4:]).sequence)
        return True

    @property
    def bytes_unanswered(self):
        return sum(len(message) for message in self.arrived[-len(self.unanswered) :])

    def vanish(self):
        self.open, self.unanswered = False, []

    def poll(self):
        answered, self.unanswered = (self.unanswered, []) if self.open else ([], self.unanswered)
        back, self.was_open = self.open and not self.was_open, self.open
        return Poll(
            acknowledged=tuple(answered),
            credit=self.credit,
            reconnected=back,
            connected=self.open,
        )

    def wait(self, seconds):
        pass

    def close(self):
        self.open = False


class Bin:
    """A spool in memory, with room for so many messages."""

    def __init__(self, room):
        self.room, self.kept = room, []

    def write(self, message):
        if len(self.kept) >= self.room:
            return False
        self.kept.append(message)
        return True

    def close(self):
        pass


def deliver_one(delivery):
    sequence = delivery.next_sequence()
    frame = encode_frame(Frame(process=bytes(16), sequence=sequence))
    delivery.deliver(sequence, frame, {"log": 1})


STEPS = st.lists(
    st.sampled_from(["deliver", "deliver", "deliver", "poll", "cut", "mend", "fill", "empty"]),
    max_size=40,
)


class TestDelivery:
    @given(STEPS, st.integers(0, 3), st.integers(200, 2000))
    def test_accounts_for_every_signal_whatever_happens(self, steps, room, budget):
        road, waste, books = Road(), Bin(room), Books()
        delivery = Delivery(lambda _: (road, waste), books=books, budget=budget)
        delivery.begin(bytes(16))
        delivery.poll()
        delivered = 0
        for step in [*steps, "poll"]:
            if step == "deliver":
                deliver_one(delivery)
                delivered += 1
            elif step == "poll":
                delivery.poll()
            else:
                road.open = {"cut": False, "mend": True}.get(step, road.open)
                road.full = {"fill": True, "empty": False}.get(step, road.full)
        sums = books.read()

        settled = sum(sum(sums[book].values()) for book in ("acknowledged", "spooled", "dropped"))
        assert delivered == settled + delivery.pending
        assert delivery.bytes <= budget
        everywhere = {decode_frame(m[4:]).sequence for m in [*road.arrived, *waste.kept]}
        assert len(everywhere) >= delivered - sum(sums["dropped"].values()) - delivery.pending

    def test_sends_again_what_a_vanished_agent_did_not_acknowledge(self):
        road, books = Road(), Books()
        delivery = Delivery(lambda _: (road, Bin(0)), books=books, budget=1000)
        delivery.begin(bytes(16))
        delivery.poll()
        deliver_one(delivery)
        road.vanish()
        delivery.poll()
        road.open = True
        delivery.poll()
        delivery.poll()

        assert len(road.arrived) == 2
        assert len(set(road.arrived)) == 1
        assert books.read()["acknowledged"] == {"log": 1}

    @given(st.lists(st.sampled_from(["deliver", "poll"]), max_size=40), st.integers(0, 500))
    def test_has_no_more_under_way_than_the_agent_has_room_for(self, steps, credit):
        road = Road(credit=credit)
        delivery = Delivery(lambda _: (road, Bin(0)), books=Books(), budget=10_000)
        delivery.begin(bytes(16))
        for step in ["poll", *steps]:
            delivery.poll() if step == "poll" else deliver_one(delivery)

            assert len(road.unanswered) <= 1 or road.bytes_unanswered <= credit
        for _ in range(len(steps)):
            delivery.poll()

        assert steps.count("deliver") == len(road.arrived)


class TestTheBooks:
    def test_add_up_when_threads_race_with_the_flusher(self, told):
        told.begin(flush_interval_s=0.001)
        crowd = [threading.Thread(target=lambda: [work(n) for n in range(3000)]) for _ in range(4)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        flush()

        assert {"span": 12_000} == stats().captured == stats().acknowledged
        assert len(told.spans) == 12_000

    def test_count_what_did_not_fit(self, told):
        told.begin(max_buffer_bytes=1, flush_interval_s=60.0)
        for n in range(20_000):
            work(n)
        flush()

        books = stats()
        assert books.captured["span"] == 20_000
        kept = books.acknowledged.get("span", 0) + books.spooled.get("span", 0)
        assert kept + sum(books.dropped.values()) == 20_000

    def test_say_what_the_application_hears_of_drops(self, told):
        heard = []
        told.begin(before_send_span=lambda _: None, on_drop=lambda *what: heard.append(what))
        work(1)

        assert told.spans == []
        assert heard == [("span", "before_send", 1)]

    def test_are_told_to_the_agent(self, told):
        work(1)
        flush()

        assert told.frames[-1].ledger.captured == {"span": 1}


class TestWithoutAnAgent:
    def test_everything_waits_in_the_spool(self, told, tmp_path):
        told.begin(connected=False)
        work(1)

        assert flush()
        shutdown()
        frames = [frame for _, frames in taken(str(tmp_path / "spool")) for frame in frames]
        assert [1] == [block.rows for frame in frames for block in decode_frame(frame).blocks]

    def test_no_verb_fails_and_stats_says_so(self, told):
        told.begin(connected=False)
        work(1)
        flush()

        assert not stats().connected
        assert stats().spooled["span"] == 1


class TestTheEnd:
    def test_sends_what_is_left(self, told):
        work(1)
        shutdown()

        assert [1] == [block.rows for frame in told.frames for block in frame.blocks]

    def test_leaves_to_the_spool_what_nobody_acknowledges(self, told, tmp_path):
        told.transport.acknowledges = False
        work(1)

        assert not shutdown(timeout=0.01)
        frames = [frame for _, frames in taken(str(tmp_path / "spool")) for frame in frames]
        assert any(decode_frame(frame).blocks for frame in frames)
