"""The chart of a message: from what the store has, and never at any price."""

from datetime import UTC, datetime

import msgspec
import pytest

from qmon_agent.app.charting import StoreCharts
from qmon_agent.domain.charts import drawn
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.notices import Notice
from qmon_agent.journal import Journal
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Point

NOW = 1_767_225_600 * SECOND
METRIC = 'it\'s "waiting"; DROP TABLE points; --'
NOTICE = Notice(
    incident="i",
    status="firing",
    reason="breach",
    alert="hot",
    system="o'shop",
    metric=METRIC,
    threshold="> 5 for 10s",
    labels={"service": "o'shop", "till's": "1'"},
    since=NOW - 60 * SECOND,
)


class Store:
    """A real engine over a real journal, asked as the agent asks it."""

    def __init__(self, directory):
        options = TelemetryOptions(
            directory=str(directory / "telemetry"), journal=str(directory / "journal")
        )
        self.journal = Journal.open(directory / "journal")
        self.engine = open_engine(options)
        self.follower = Follower(directory / "journal", self.engine, bury=lambda *_: None)

    def keep(self, *points):
        resource = Resource(service="o'shop")
        frame = Frame(process=bytes(16), sequence=1, resource=resource, blocks=blocks_of(points))
        self.journal.append(encode_frame(frame), process=bytes(16), sequence=1)
        self.follower.follow(self.journal.commit(), max_bytes=1 << 20)

    async def ask(self, sql, *, limit, timeout_s):
        return self.engine.ask(Question(sql=sql, limit=limit, timeout_s=timeout_s), Watch())

    def close(self):
        self.follower.close()
        self.engine.close()
        self.journal.close()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def charts(store):
    return StoreCharts(store.ask, HandClock(NOW))


def a_point(before_s, value, **changes):
    usual = {"metric": METRIC, "attributes": {"till's": "1'"}, "time": NOW - before_s * SECOND}
    return Point(value=value, **usual | changes)


class TestChart:
    async def test_is_drawn_of_the_series_the_alert_is_about(self, store, charts):
        store.keep(
            *(a_point(n, float(n)) for n in range(0, 600, 10)),
            a_point(5, 1e9, metric="other"),
            a_point(5, 1e9, attributes={"till's": "2"}),
        )
        chart = await charts.chart_of(NOTICE, others=0)

        start = NOW - 3_660 * SECOND
        values = [(NOW - n * SECOND, float(n)) for n in range(0, 600, 10)]
        assert drawn(values, start=start, end=NOW, bound=5.0) == chart

    async def test_has_the_value_it_is_about_also_where_the_store_has_not(self, store, charts):
        store.keep(a_point(100, 1.0))
        newest = msgspec.structs.replace(NOTICE, value=9.0, event_time=NOW - SECOND)

        chart = await charts.chart_of(newest, others=0)

        values = [(NOW - 100 * SECOND, 1.0), (NOW - SECOND, 9.0)]
        assert drawn(values, start=NOW - 3_660 * SECOND, end=NOW, bound=5.0) == chart
        assert await charts.chart_of(NOTICE, others=0) is None  # of one value

    async def test_of_something_else_is_none(self, store, charts):
        store.keep(a_point(5, 1.0), a_point(6, 1.0))
        changes = [{"metric": "x"}, {"system": "x"}, {"labels": {"till's": "3"}}, {"metric": ""}]

        asked = [msgspec.structs.replace(NOTICE, **each) for each in changes]

        assert [None] * 4 == [await charts.chart_of(each, others=0) for each in asked]

    async def test_is_none_in_a_storm_and_of_a_group(self, store, charts):
        store.keep(a_point(5, 1.0), a_point(6, 1.0))
        group = msgspec.structs.replace(NOTICE, members=(NOTICE, NOTICE))

        assert await charts.chart_of(NOTICE, others=20) is None
        assert await charts.chart_of(group, others=0) is None

    async def test_begins_an_hour_before_it_began_and_six_hours_ago_at_most(self):
        asked = []

        async def ask(sql, **_):
            asked.append(sql.partition("time >= '")[2][:19])
            raise OSError

        for since_h in (0, 2, 100):
            notice = msgspec.structs.replace(NOTICE, since=NOW - since_h * 3_600 * SECOND)
            with pytest.raises(OSError):  # noqa: PT011 - it is the one above
                await StoreCharts(ask, HandClock(NOW)).chart_of(notice, others=0)

        expected = [NOW // SECOND - hours * 3_600 for hours in (1, 3, 6)]
        assert [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" for at in expected] == asked
