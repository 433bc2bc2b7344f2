"""Remote write, to the real Prometheus and VictoriaMetrics, and the totals behind it."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks import SINKS
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Point, Span

NOW = time.time_ns()
SECOND = 1_000_000_000
VALUES = (-1.0, 0.0, 0.02, 0.02, 0.3, 40.0)


def a_batch(name, *signals, pid=42):
    resource = Resource(service="shop", host="box", pid=pid, started=NOW - 60 * SECOND)
    frame = Frame(process=bytes(16), sent=NOW, resource=resource, blocks=blocks_of(signals))
    return Batch(id=name, frames=(frame,))


def counted(value, metric="orders", at=0, **attributes):
    time_ns = NOW + at * SECOND
    return Point(
        time=time_ns, metric=metric, kind="counter", value=value, attributes=attributes
    )  # fmt: skip


def distribution(metric, at=0):
    buckets = {bucket_of(value): VALUES.count(value) for value in VALUES}
    return Point(
        time=NOW + at * SECOND, metric=metric, kind="distribution", unit="s", count=len(VALUES),
        value=sum(VALUES), buckets=buckets,
    )  # fmt: skip


def ask(server, query, at=5):
    asked = urllib.parse.urlencode({"query": query, "time": NOW / SECOND + at})
    with urllib.request.urlopen(f"{server.url}/api/v1/query?{asked}", timeout=5) as answer:
        result = json.loads(answer.read())["data"]["result"]
    return {each["metric"].get("le", ""): float(each["value"][1]) for each in result}


@pytest.fixture
def sink_to(sink_with):
    """Makes sinks that write to a server."""

    def make(server, path=None, **options):
        usual = {"endpoint": f"{server.url}/api/v1/write"}
        sink = sink_with("prometheus_remote_write", **usual | options)
        if path:
            sink.remember_at(path, is_new=False)
        return sink

    return make


@pytest.fixture
def metric(request):
    """A name that no other test uses."""
    return "m_" + request.node.name.partition("[")[0].removeprefix("test_")


class TestPrometheus:
    def test_counts_what_the_deltas_add_up_to(self, backends, metric, sink_to):
        sink = sink_to(backends.prometheus)
        for number in range(3):
            batch = a_batch(f"b{number}", counted(2.0, metric, at=number, plan="pro"))
            assert "delivered" == sink.send(batch).outcome

        selector = f'{metric}_total{{job="shop",instance="box:42",plan="pro"}}'
        assert {"": 6.0} == ask(backends.prometheus, selector)
        assert {"": 6.0} == ask(backends.prometheus, f"max_over_time({selector}[60s])")

    def test_sees_the_first_step_of_a_new_counter(self, backends, metric, sink_to):
        sink_to(backends.prometheus).send(a_batch("b", counted(2.0, metric)))

        assert {"": 1.0} == ask(backends.prometheus, f"resets({metric}_total[60s]) + 1")
        assert {"": 2.0} == ask(backends.prometheus, f"count_over_time({metric}_total[60s])")

    def test_takes_the_same_batch_again_as_nothing_new(self, backends, metric, tmp_path, sink_to):
        batch = a_batch("same", counted(2.0, metric))
        sink_to(backends.prometheus).send(batch)

        again = sink_to(backends.prometheus, tmp_path / "t.db").send(batch)

        assert "delivered" == again.outcome
        assert {"": 2.0} == ask(backends.prometheus, f"{metric}_total")

    def test_has_classic_histograms(self, backends, metric, sink_to):
        sink = sink_to(backends.prometheus, bounds=[0.1, 1.0])
        sink.send(a_batch("h", distribution(metric), distribution(metric, at=1)))

        buckets = ask(backends.prometheus, f"{metric}_seconds_bucket")
        assert {"0.1": 8.0, "1": 10.0, "+Inf": 12.0} == buckets
        assert {"": 12.0} == ask(backends.prometheus, f"{metric}_seconds_count")

    def test_has_native_histograms(self, backends, metric, sink_to):
        sink = sink_to(backends.prometheus, histograms="native")
        assert "delivered" == sink.send(a_batch("n", distribution(metric))).outcome

        [count] = ask(backends.prometheus, f"histogram_count({metric}_seconds)").values()
        [upper] = ask(backends.prometheus, f"histogram_quantile(0.75, {metric}_seconds)").values()
        assert 6 == count
        assert upper == pytest.approx(0.3, rel=0.05)

    def test_refuses_what_is_no_request(self, backends, sink_to):
        sink = sink_to(backends.prometheus, endpoint=f"{backends.prometheus.url}/api/v1/writes")

        assert "refused" == sink.send(a_batch("b", counted(1.0))).outcome

    def test_takes_1_0_from_a_sink_that_would_speak_2_0(self, backends, metric, sink_to):
        sink = sink_to(backends.prometheus, version="2.0")
        batch = a_batch("b", counted(2.0, metric))

        outcomes = [sink.send(batch).outcome for _ in range(2)]

        assert ["retry", "delivered"] == outcomes
        assert {"": 2.0} == ask(backends.prometheus, f"{metric}_total")


class TestVictoriaMetrics:
    def test_counts_what_the_deltas_add_up_to(self, backends, metric, sink_to):
        sink = sink_to(backends.victoria)
        sink.send(a_batch("b", counted(2.0, metric), counted(3.0, metric, at=1)))
        backends.victoria._is_ready("/internal/force_flush")

        assert {"": 5.0} == ask(backends.victoria, f"{metric}_total")


class TestTotals:
    @pytest.fixture
    def sink(self, backends, tmp_path, sink_to):
        return lambda: sink_to(backends.prometheus, tmp_path / "totals.db")

    def test_outlive_the_agent(self, sink, backends, metric):
        sink().send(a_batch("one", counted(2.0, metric)))
        sink().send(a_batch("two", counted(2.0, metric, at=1)))

        assert {"": 4.0} == ask(backends.prometheus, f"{metric}_total")

    def test_add_a_batch_once_though_its_place_was_not_kept(self, sink, backends, metric):
        batch = a_batch("one", counted(2.0, metric), Span(name="s"))
        sink().send(batch)
        again = sink().send(batch)
        sink().send(a_batch("two", counted(1.0, metric, at=1)))

        assert ("delivered", 1) == (again.outcome, again.passed_over)
        assert {"": 3.0} == ask(backends.prometheus, f"{metric}_total")

    def test_begin_anew_for_a_sink_that_is_new(self, sink, tmp_path, metric):
        sink().send(a_batch("one", counted(2.0, metric)))

        one = sink()
        one.remember_at(tmp_path / "totals.db", is_new=True)

        assert not (tmp_path / "totals.db").exists()

    def test_begin_anew_when_their_file_is_damaged(self, sink, tmp_path, metric):
        (tmp_path / "totals.db").write_bytes(b"no database" * 1000)

        assert "delivered" == sink().send(a_batch("one", counted(2.0, metric))).outcome

    def test_begin_anew_when_their_file_is_damaged_meanwhile(
        self, sink_to, backends, tmp_path, metric
    ):
        sink, path = sink_to(backends.prometheus, tmp_path / "t.db"), tmp_path / "t.db"
        sink.send(a_batch("one", counted(2.0, metric)))
        sink.close()
        path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096 * 3)

        outcomes = [sink.send(a_batch("two", counted(1.0, metric, at=1))).outcome for _ in "12"]

        assert "delivered" == outcomes[-1]

    def test_wait_for_a_disk_that_does_not_take_them(self, backends, tmp_path, sink_to):
        (tmp_path / "totals.db").mkdir()

        delivery = sink_to(backends.prometheus, tmp_path / "totals.db").send(a_batch("b"))

        assert ("retry", True) == (delivery.outcome, "totals" in delivery.detail)

    def test_give_a_late_sum_a_later_time_and_leave_out_a_late_gauge(self, sink, metric):
        late = Point(time=NOW - SECOND, metric=metric, value=1.0)
        sink().send(a_batch("one", counted(2.0, metric), Point(time=NOW, metric=metric)))

        delivery = sink().send(a_batch("two", counted(2.0, metric, at=-1), late))

        assert ("delivered", 1) == (delivery.outcome, delivery.rejected)
        assert "older" in delivery.detail

    def test_add_up_processes_of_a_host_where_asked_to(self, backends, metric, sink_to):
        sink = sink_to(backends.prometheus, per_process=False)
        sink.send(a_batch("one", counted(2.0, metric), pid=1))
        sink.send(a_batch("two", counted(2.0, metric), pid=2))

        assert {"": 4.0} == ask(backends.prometheus, f'{metric}_total{{instance="box"}}')


@pytest.mark.parametrize("bounds", [[1.0, 0.5], [1.0, 1.0]])
def test_bounds_ascend(bounds):
    with pytest.raises(ConfigError, match="bounds"):
        SINKS.build("prometheus_remote_write", {"endpoint": "http://x", "bounds": bounds})
