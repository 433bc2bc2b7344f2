"""Who was turned away: counted by reason and sender, and never more than a handful of names."""

from __future__ import annotations

from qmon_agent.ingest.turned_away import TurnedAway
from qmon_agent.vitals import Vitals


class TestTurnedAway:
    def test_tells_the_newest_reason_first_and_how_long_ago_it_was(self):
        hand = [0.0]
        away = TurnedAway(Vitals(), now=lambda: hand[0])
        for at, reason in enumerate(("no_token", "too_large")):
            hand[0] = float(at)
            away.note(reason, f"ip:10.0.0.{at}")
        hand[0] = 5.0

        told = [(each["reason"], each["last_from"], each["last_s"]) for each in away.describe()]

        assert [("too_large", "ip:10.0.0.1", 4.0), ("no_token", "ip:10.0.0.0", 5.0)] == told

    def test_counts_senders_beyond_a_number_as_one(self):
        vitals = Vitals()
        away = TurnedAway(vitals)
        for number in range(1_000):
            away.note("wrong_token", f"ip:{number}")

        assert 65 == len(vitals.counters()) == away.describe()[0]["senders"]
        assert 936 == vitals.count("requests_refused", sender="others")
        assert "ip:999" == away.describe()[0]["last_from"]
