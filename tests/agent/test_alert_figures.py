"""The figures of alerting over incidents that the rules wrote, and how they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.care import Deed
from qmon_agent.app.alert_figures import figures_since, label_incident
from qmon_agent.cli._figures import bars, figure_lines
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import QueryError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.sendings import Settled
from qmon_sdk.protocol.signals import Point

BEGAN = 1_780_009_200 * SECOND  # at eleven in the evening
ALERTS = [
    AlertOptions(name="hot", metric="temp", threshold="> 5 for 10s", severity="critical"),
    AlertOptions(name="full", metric="disk", threshold=90),
]


class Desk:
    """An alert service at work, and somebody who looks after what fires."""

    def __init__(self, path):
        self.clock = HandClock(BEGAN)
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        self.service.declare(ALERTS)

    def point(self, metric, value, *, service="shop"):
        now = self.clock.now()
        points = [Point(metric=metric, value=value, time=now)]
        self.service.observe(Observed(service=service, time=now, points=points))

    def do(self, alert, kind, **how):
        deed = Deed(kind=kind, by="ann", **how)
        return self.service.care.do(self.incident(alert), deed)

    def incident(self, alert):
        return next(each.incident for each in self.service.standings() if each.alert == alert)

    @property
    def life(self):
        """The id of one that fired."""
        return next(e.incident for e in self.store.histories.since(0).lives if e.fired_at)

    def deliver(self, after_s):
        self.clock.turn(after_s)
        for leased in self.store.outbox.lease("chat", owner="a", until=self.clock.now() + SECOND):
            self.store.outbox.settle(leased, Settled(status="sent", at=self.clock.now()))

    def told(self, since_s=86_400, people=None):
        return figures_since(
            self.store, since_s=since_s, zone="UTC", people=people or {}, clock=self.clock
        )


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk
    desk.store.close()


@pytest.fixture
def lived(desk):
    """One that was acknowledged, one that went away by itself twice, one that never fired."""
    desk.point("temp", 6.0)
    desk.clock.turn(10)
    desk.point("temp", 6.0)
    desk.do("hot", "assign", text="bob")
    desk.deliver(after_s=2)
    desk.do("hot", "ack")
    desk.clock.turn(60)
    desk.point("temp", 1.0)
    for value in (91.0, 1.0, 92.0, 1.0):
        desk.point("disk", value)
        desk.clock.turn(1)
    desk.point("temp", 6.0, service="till")
    desk.clock.turn(1)
    desk.point("temp", 1.0, service="till")
    return desk


class TestAnAlertThatIsTakenOut:
    def test_has_ended_nothing_by_itself_and_was_no_noise(self, desk):
        desk.point("disk", 95.0)
        desk.clock.turn(5)
        desk.service.declare(ALERTS[:1])
        told = desk.told()

        assert (1, None, None) == (told["fired"], told["noise"], told["ended_by_themselves"])


class TestFigures:
    def test_are_of_what_the_rules_wrote(self, lived):
        told = lived.told()

        assert 3 == told["fired"]
        assert 10.0 == told["time_to_detect"]["p99_s"]
        assert {"count": 1, "mean_s": 2.0, "p50_s": 2.0, "p99_s": 2.0} == (
            told["time_to_acknowledge"]
        )
        assert 62.0 == told["time_to_resolve"]["p99_s"]
        assert [1 / 3, 2 / 3] == [told["acknowledged"], told["ended_by_themselves"]]
        assert [("full", 2)] == [(each["alert"], each["firings"]) for each in told["flappers"]]

    def test_of_channels_are_how_long_messages_took(self, lived):
        told = lived.told()["channels"]

        assert [("chat", 1, 2.0)] == [
            (each["channel"], each["sent"], each["latency"]["p50_s"]) for each in told
        ]

    def test_count_pages_for_whoever_took_them_on(self, lived):
        told = lived.told()["nights"]

        assert [("bob", 1, "2026-05-28")] == [
            (each["person"], each["pages"], each["worst_night"]) for each in told
        ]

    def test_count_pages_for_whoever_is_called_by_the_channel(self, lived):
        told = lived.told(people={"ann": ["mail", "chat"], "eve": ["phone"]})["nights"]

        assert [("ann", 1)] == [(each["person"], each["pages"]) for each in told]

    def test_of_quality_are_what_people_said(self, lived):
        labels = {"hot": "useful", "full": "noise"}
        for life in lived.store.histories.since(0).lives:
            label_incident(
                lived.store, life.incident, {"text": labels[life.alert]}, clock=lived.clock
            )
        told = lived.told()["quality"]

        assert {"useful": 2, "noise": 2, "useful_unfired": 1} == {
            name: told[name] for name in ("useful", "noise", "useful_unfired")
        }
        assert (1 / 3, 1 / 2) == (told["precision"], told["recall"])

    def test_are_of_the_time_that_was_asked_for(self, lived):
        lived.clock.turn(3_600)

        assert (0, 3) == (lived.told(since_s=60)["fired"], lived.told(since_s=7_200)["fired"])

    def test_refuse_what_is_no_label(self, lived):
        with pytest.raises(QueryError, match="'good' is no label"):
            label_incident(lived.store, "x", {"text": "good"}, clock=lived.clock)


class TestShown:
    def test_is_all_there_is(self, lived):
        label_incident(lived.store, lived.life, {"text": "noise"}, clock=lived.clock)
        said = "\n".join(figure_lines(lived.told()))

        for part in (
            "3 incidents fired from",
            "to acknowledge       mean 2.0 s, p50 2.0 s, p99 2.0 s (1)",
            "acknowledged         33 %",
            "over by themselves   67 % within five minutes",
            "precision            0 %",
            "each column hour",
            "full: fired 2 times",
            "hot: fired 1 time for 1.0 min",
            'full {"service":"shop"}: 2 times in 2 incidents',
            "chat: 1 arrived, 0 given up,",
            "bob: 1, 1.00 a night, at most 1 in that of 2026-05-28",
        ):
            assert part in said

    def test_is_little_where_nothing_was(self, desk):
        said = [*figure_lines(desk.told())]

        assert "noise                - of 100" in said
        assert not [line for line in said if "alerts" in line or "precision" in line]

    @given(st.lists(st.integers(0, 10**6), max_size=400))
    def test_has_a_column_for_everything(self, values):
        drawn = bars(values)

        assert len(drawn) <= 60
        assert bool(sum(values)) == bool(drawn.strip())
