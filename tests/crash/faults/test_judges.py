"""The judge of the faults comes to an end, and names who misses what."""

from __future__ import annotations

import time

import judges
import pytest
from producers import Producer, Verdict


class Told(Producer):
    """One whose items are all acknowledged, and of which some are kept."""

    name_of_source = ""
    kept = ()

    def __init__(self, name):
        self.name_of_source = name
        self.agent = None
        super().__init__(self)

    def _kept(self):
        return dict(self.kept)

    def deliver(self, items):
        return not items


@pytest.fixture
def told():
    """Promised three items, of which one is kept twice, and one not at all."""
    made = Told("tcp")
    made.sent = ["tcp_1", "tcp_2", "tcp_10"]
    made.acknowledged = {*made.sent}
    made.kept = {"tcp_1": 2, "tcp_2": 1}
    yield made
    made.close()


class TestVerdictsOf:
    def test_waits_no_longer_than_it_may_and_names_who_misses_what(self, told):
        began = time.monotonic()

        verdicts = judges.verdicts_of([told], "", lost_s=0.5)

        assert 0.5 <= time.monotonic() - began < 10
        said = "tcp: 1 of 3 spans lost (tcp_10), 1 of 3 spans doubled (tcp_1)"
        assert said == judges.complaints(verdicts)

    def test_waits_not_at_all_for_what_is_there(self, told):
        told.kept = dict.fromkeys(told.sent, 1)

        assert "" == judges.complaints(judges.verdicts_of([told], "", lost_s=0))


class TestAllEnded:
    def test_names_who_has_no_answer(self, told):
        told.acknowledged.clear()
        told.sent.clear()
        told.start()
        while not told.sent:
            time.sleep(0.01)

        with pytest.raises(AssertionError, match="tcp: 5 of 5 not acknowledged within 0 s"):
            judges.all_ended([told], 0.2)


def test_many_that_are_lost_are_told_by_some():
    lost = [f"udp_{number}" for number in range(7)]

    said = judges.complaints({"udp": Verdict(sent=9, acknowledged=9, stored=2, lost=lost)})

    assert "udp: 7 of 9 items lost (udp_0, udp_1, udp_2, udp_3, udp_4 and 2 more)" == said
