"""The laws of the figures of alerting."""

import random
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmon_agent.domain.alarms.figures import DAY_NS, Times, figures, noise, quality, times
from qmon_agent.domain.alarms.histories import (
    SOON_NS,
    Letter,
    Life,
    Remark,
    label_of,
    life_of,
    person_of,
)
from qmon_agent.domain.alarms.nights import Nights, nightly
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.incidents import INACTIVE, Policy, step

SINCE, UNTIL = 10 * DAY_NS, 17 * DAY_NS
NEW = Life(incident="i", alert="hot", began_at=SINCE)
MOMENTS = st.integers(SINCE - DAY_NS, UNTIL + DAY_NS)
REMARKS = st.lists(
    st.builds(
        Remark,
        kind=st.sampled_from(["ack", "assign", "comment", "label", "snooze_ended"]),
        at=MOMENTS,
        text=st.sampled_from(["useful", "noise", "none", "ann"]),
    ),
    max_size=4,
)
LETTERS = st.lists(
    st.builds(
        Letter,
        incident=st.sampled_from("ab"),
        channel=st.sampled_from(["chat", "phone"]),
        status=st.sampled_from(["sent", "dead", "waiting", "superseded"]),
        created_at=MOMENTS,
        sent_at=MOMENTS,
        attempts=st.integers(0, 3),
        says=st.sampled_from(["firing", "resolved"]),
        severity=st.sampled_from(["critical", "warning"]),
        person=st.sampled_from(["", "ann", "bob"]),
    ),
    max_size=30,
)


@st.composite
def lived(draw):
    """An incident as the machine makes it of verdicts, with what people did."""
    policy = Policy(for_ns=draw(st.sampled_from([0, 3])), keep_firing_ns=draw(st.integers(0, 5)))
    episode, moves, now = INACTIVE, [], draw(MOMENTS)
    began = now
    for verdict in ["breach", *draw(st.lists(st.sampled_from(["breach", "clear"]), max_size=12))]:
        episode, moved = step(episode, verdict, now, policy=policy)
        moves += moved
        now += draw(st.integers(1, 2 * SOON_NS))
        if moves and episode.state == "inactive":
            break  # it is over: what comes now is another one
    known = Life(
        incident=str(began),
        alert=draw(st.sampled_from(["hot", "full"])),
        instance=draw(st.sampled_from(["", "a"])),
        began_at=began - draw(st.integers(0, SECOND)),
    )
    return life_of(known, moves, draw(REMARKS))


LIVES = st.lists(lived(), max_size=12)


class TestLives:
    @given(lived())
    def test_fire_before_they_end(self, life):
        assert bool(life.fired_at) == bool(life.firings)
        assert not life.fired_at or life.began_at <= life.fired_at
        assert not life.resolved_at or life.fired_at <= life.resolved_at

    @given(REMARKS)
    def test_have_the_label_that_was_said_last(self, remarks):
        last = [each.text for each in remarks if each.kind == "label"][-1:]

        assert ("" if last not in (["useful"], ["noise"]) else last[0]) == label_of(remarks)

    def test_that_somebody_handled_did_not_end_by_themselves(self):
        life = replace(NEW, fired_at=1, resolved_at=1 + SOON_NS, ended_by="cleared")

        assert life.ended_by_itself
        assert not replace(life, is_handled=True).ended_by_itself
        assert not replace(life, resolved_at=2 + SOON_NS).ended_by_itself
        assert not replace(life, ended_by="resolved_by_hand").ended_by_itself

    def test_belong_to_who_has_them_or_takes_them_first(self):
        taken = [Remark(kind="ack", at=5, by="ann"), Remark(kind="assign", at=9, text="bob")]

        assert ["ann", "ann", "bob"] == [person_of(taken, at) for at in (4, 8, 9)]
        assert "" == person_of([Remark(kind="comment", at=1, by="ann")], 2)


class TestFigures:
    @given(LIVES, LETTERS)
    def test_count_each_once(self, lives, letters):
        told = figures(lives, letters, since=SINCE, until=UNTIL)
        written = [each for each in letters if SINCE <= each.created_at < UNTIL]

        assert told.fired == sum(SINCE <= each.fired_at < UNTIL for each in lives)
        assert told.fired == sum(each.fired for each in told.trend)
        assert told.fired == sum(each.fired for each in told.alerts)
        assert told.fired == told.time_to_detect.count
        assert len(written) == sum(
            c.sent + c.dead + c.waiting + c.superseded for c in told.channels
        )
        assert sum(c.sent for c in told.channels) == sum(each.sent for each in told.trend)

    @given(LIVES, LETTERS, st.randoms())
    def test_do_not_depend_on_the_order(self, lives, letters, chance):
        turned = random.Random(chance.random()).sample(lives, len(lives))
        told = [
            figures(each, letters, since=SINCE, until=UNTIL, nights=Nights(zone="Asia/Tokyo"))
            for each in (lives, turned)
        ]

        assert told[0].fired == told[1].fired
        assert told[0].flappers == told[1].flappers
        assert told[0].quality == told[1].quality
        assert [each.alert for each in told[0].alerts] == [each.alert for each in told[1].alerts]

    @given(LIVES)
    def test_of_shares_are_shares(self, lives):
        told = figures(lives, (), since=SINCE, until=UNTIL)
        shares = (told.acknowledged, told.ended_by_themselves, told.quality.recall)

        assert all(each is None or 0 <= each <= 1 for each in shares)
        assert told.noise is None or 0 <= told.noise <= 100
        assert all(each.firings > 1 for each in told.flappers)

    @given(LIVES.filter(bool))
    def test_of_labels_are_what_was_said(self, lives):
        as_noise = [replace(each, label="noise") for each in lives]
        as_useful = [replace(each, label="useful") for each in lives]
        fired = [each for each in lives if each.fired_at]

        assert 100 == noise(as_noise, UNTIL)
        assert 0 == noise(as_useful, UNTIL)
        assert len(fired) / len(lives) == quality(as_useful).recall
        assert (0 if fired else None) == quality(as_noise).precision

    def test_of_noise_weigh_what_nobody_did_anything_about(self):
        soon = replace(NEW, fired_at=1, resolved_at=2, ended_by="cleared")
        later = replace(soon, resolved_at=2 * SOON_NS)
        handled, lasting = replace(soon, is_handled=True), replace(NEW, fired_at=1)

        assert 50 == noise([soon, later, handled, lasting], UNTIL)
        assert noise([lasting], UNTIL) is None


class TestTimes:
    @given(st.lists(st.integers(-5, 10**15), min_size=1))
    def test_are_among_what_was_measured(self, durations):
        told = times(durations)
        known = [max(each, 0) / SECOND for each in durations]

        assert told.p50_s in known
        assert told.p50_s <= told.p99_s <= max(known)
        assert 2 * sum(each <= told.p50_s for each in known) >= len(known)

    def test_are_none_of_nothing(self):
        assert Times() == times([])


class TestNights:
    @given(LETTERS, st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]))
    def test_have_no_page_more_than_what_arrived(self, letters, zone):
        told = nightly(letters, Nights(zone=zone), since=SINCE, until=UNTIL)
        arrived = [each for each in letters if each.status == "sent" and each.says == "firing"]

        assert sum(each.pages for each in told) <= len(arrived)
        assert all(1 <= each.worst <= each.pages for each in told)

    @pytest.mark.parametrize(
        ("at", "night"),
        [
            ("2026-03-01 21:59", ""),
            ("2026-03-01 22:00", "2026-03-01"),
            ("2026-03-02 06:59", "2026-03-01"),
            ("2026-03-02 07:00", ""),
        ],
    )
    def test_begin_at_ten_and_end_at_seven_by_the_clocks_of_the_place(self, at, night):
        zone = ZoneInfo("America/New_York")
        moment = int(datetime.fromisoformat(at).replace(tzinfo=zone).timestamp()) * SECOND
        letter = Letter(
            incident="a", channel="phone", status="sent", created_at=moment, says="firing",
            severity="critical", person="ann",
        )  # fmt: skip
        told = nightly(
            [letter, replace(letter, channel="chat")],
            Nights(zone="America/New_York"),
            since=moment - 5 * DAY_NS,
            until=moment + 5 * DAY_NS,
        )

        assert ([night] if night else []) == [each.worst_night for each in told]
        assert ([("ann", 1, 0.1)] if night else []) == [
            (each.person, each.pages, each.per_night) for each in told
        ]
