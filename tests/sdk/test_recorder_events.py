"""Product events until their flush: kept in one step where they are plain, the same however."""

from __future__ import annotations

import os
import threading

import pytest

import qmon_sdk as qmon
from qmon_sdk.accelerator import speedups
from qmon_sdk.client import current

BULKY = {"text": "x" * 1000}
PLAIN = {"plan": "pro", "amount": 7, "first": True, "share": 0.5, "nobody": None}


@pytest.fixture
def flying(told, tmp_path):
    """Record with a ring that others may read."""
    return lambda **options: told.begin(flight_dir=str(tmp_path / "flight"), **options)


def facts(event):
    return event.name, event.user_id, event.attributes


class TestPlainEvents:
    def test_say_what_those_say_that_nobody_met(self, flying):
        told = flying()
        ids = [qmon.track("paid", PLAIN, user_id="ada") for _ in range(3)]

        events = told.all("event")
        assert ids == [event.event_id for event in events]
        assert 3 == len({*ids}) == len({event.sequence for event in events})
        assert 1 == len({str(facts(event)) for event in events})

    def test_are_kept_in_one_step(self, flying):
        flying()
        qmon.track("paid", PLAIN)
        if speedups is None:
            pytest.skip("it is a step of the accelerator")
        assert current().recorder.events("paid", PLAIN, None)

    def test_are_of_their_scope(self, flying):
        told = flying()
        with qmon.session(), qmon.new_scope(user={"id": "ada", "anonymous_id": "a-1"}):
            for _ in range(3):
                qmon.track("paid", PLAIN)
        first, *others = told.all("event")
        assert ("ada", "a-1") == (first.user_id, first.anonymous_id)
        assert {(first.session_id, "ada")} == {(one.session_id, one.user_id) for one in others}
        assert [2, 3] == [one.sequence - first.sequence + 1 for one in others]

    def test_keep_their_order_among_others(self, flying):
        told = flying()
        names = ["paid", "paid", "päid", "paid", "flagged", "paid"]
        for name in names:
            with qmon.new_scope(flags={"till": "b"} if name == "flagged" else {}):
                qmon.track(name, PLAIN)
        assert names == [event.name for event in told.all("event")]

    def test_are_seen_by_who_wants_to_see_them(self, flying):
        told = flying(before_send=lambda signal: signal.replace(name="seen"))
        for _ in range(3):
            qmon.track("paid", PLAIN)
        assert ["seen"] * 3 == [event.name for event in told.all("event")]

    def test_hide_secrets_each_time(self, flying):
        told = flying()
        for _ in range(3):
            qmon.track("paid", {"password": "open", "card": 4111111111111111})
        hidden = {"password": "[scrubbed]", "card": "[scrubbed]"}
        assert [hidden] * 3 == [event.attributes for event in told.all("event")]

    def test_are_sent_when_there_are_many(self, flying):
        told = flying()
        for _ in range(3000):
            qmon.track("paid", PLAIN)
        assert 3000 == len(told.all("event")) == qmon.stats().captured["event"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is needed")
    def test_of_a_child_have_ids_of_their_own(self, flying):
        flying()
        qmon.track("paid", PLAIN)
        reading, writing = os.pipe()
        if not (child := os.fork()):
            os.write(writing, str(qmon.track("paid", PLAIN)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert qmon.track("paid", PLAIN) != os.read(reading, 32).decode()


class TestMoreThanIsSent:
    """A thread that keeps events faster than the flusher takes them away."""

    BUDGET = 1 << 20
    MANY = 6 * BUDGET // 1000

    def test_loses_nothing_while_something_is_sent(self, flying):
        told = flying(max_buffer_bytes=self.BUDGET)
        for _ in range(self.MANY):
            qmon.track("step", BULKY)
        assert self.MANY == len(told.all("event"))
        assert {} == qmon.stats().dropped

    def test_is_dropped_and_counted_beyond_the_budget_while_nothing_is(self, flying):
        inside, go_on = threading.Event(), threading.Event()

        def hang(span):
            inside.set()
            go_on.wait(30)
            return span

        told = flying(max_buffer_bytes=self.BUDGET, before_send_span=hang)
        with qmon.span("held up"):
            pass
        assert inside.wait(10)
        for _ in range(self.MANY):
            qmon.track("step", BULKY)
        go_on.set()

        dropped = qmon.stats().dropped["event/queue_overflow"]
        assert self.MANY == len(told.all("event")) + dropped
        assert dropped > self.MANY // 2
