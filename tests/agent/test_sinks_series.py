"""What points are called as series of Prometheus, and which labels tell them apart."""

from __future__ import annotations

import pytest

from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks._scraped import text_of
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Point

NOW = 1_767_225_600_000_000_000


@pytest.fixture
def page(sink_with):
    """The lines a scraper gets of points, each told by a resource."""

    def write(*told, **options):
        sink = sink_with("prometheus_exposition", **options)
        frames = [
            Frame(process=bytes(16), sent=NOW, resource=who, blocks=blocks_of([point]))
            for who, point in told
        ]
        sink._add(Batch(id="b", frames=tuple(frames)))
        text = "".join(text_of(sink._totals.heard_within(60_000), sink.bounds))
        return [line for line in text.splitlines() if not line.startswith("#")]

    return write


def gauge(value, **attributes):
    return Point(time=NOW, metric="load", kind="gauge", value=value, attributes=attributes)


class TestLabels:
    SCRAPED = Resource(service="shop", host="127.0.0.1", sdk="prometheus")

    def test_keep_scraped_targets_of_a_host_apart(self, page):
        targets = ["127.0.0.1:19100", "127.0.0.1:19101"]

        lines = page(*((self.SCRAPED, gauge(1, instance=target)) for target in targets))

        assert [f'load{{instance="{target}",job="shop"}} 1' for target in targets] == lines

    def test_have_the_host_of_who_says_no_instance(self, page):
        assert ['load{instance="127.0.0.1",job="shop"} 1'] == page((self.SCRAPED, gauge(1)))

    def test_keep_processes_apart_that_call_themselves_the_same(self, page):
        told = [(Resource(service="shop", host="box", pid=pid), gauge(pid)) for pid in (1, 2)]

        lines = page(
            *((who, point.replace(attributes={"instance": "blue"})) for who, point in told)
        )

        assert [
            f'load{{instance="blue",job="shop",process="box:{pid}"}} {pid}' for pid in (1, 2)
        ] == lines

    @pytest.mark.parametrize(
        ("told", "per_process", "instance"),
        [
            ({"service.instance.id": "a", "k8s.pod.name": "p"}, True, "a"),
            ({"k8s.pod.name": "p"}, True, "p:7"),
            ({}, True, "box:7"),
            ({"service.instance.id": "a"}, False, "box"),
        ],
    )
    def test_name_a_replica_as_its_sender_does(self, page, told, per_process, instance):
        who = Resource(host="box", pid=7, attributes=told | {"telemetry.auto": "yes"})

        lines = page((who, gauge(1)), per_process=per_process)

        assert [f'load{{instance="{instance}"}} 1'] == lines

    def test_tell_processes_of_ours_apart_that_share_what_a_platform_calls_them(self, page):
        who = Resource(host="box", sdk="qmon.python", attributes={"service.instance.id": "a"})

        lines = page(*((who.replace(pid=pid), gauge(pid)) for pid in (1, 2)))

        assert [f'load{{instance="box:{pid}"}} {pid}' for pid in (1, 2)] == lines

    def test_say_the_service_too_where_a_point_says_another_job(self, page):
        who = Resource(service="shop", host="box", environment="production")

        [line] = page((who, gauge(1, job="nightly", environment="test")))

        assert 'load{environment="test",instance="box",job="nightly",service="shop"} 1' == line


def took(value, unit):
    buckets = {bucket_of(value): 1}
    return Point(
        time=NOW,
        metric="took",
        kind="distribution",
        unit=unit,
        count=1,
        value=value,
        buckets=buckets,
    )


class TestBounds:
    @pytest.mark.parametrize(
        ("value", "unit", "bound"),
        [
            (0.2, "s", "0.25"),
            (0.2, "", "0.25"),
            (200.0, "ms", "250"),
            (40_000.0, "ms", "60000"),
            (200_000.0, "us", "250000"),
            (5000.0, "By", "16384"),
            (3.0, "MiBy", "4"),
        ],
    )
    def test_fit_the_unit(self, page, value, unit, bound):
        lines = page((Resource(service="shop"), took(value, unit)))

        first = next(line for line in lines if "_bucket{" in line and line.endswith(" 1"))
        assert f'le="{bound}"' in first

    def test_are_the_same_for_all_where_somebody_has_said_them(self, page):
        lines = page((Resource(service="shop"), took(200.0, "ms")), bounds=[0.5, 300.0])

        assert [0, 1, 1] == [int(line.split()[-1]) for line in lines if "_bucket{" in line]


class TestNames:
    @pytest.mark.parametrize(
        ("metric", "unit", "sdk", "name"),
        [
            ("sz_bytes_count", "", "prometheus", "sz_bytes_count"),
            ("sz_bytes_sum", "bytes", "prometheus", "sz_bytes_sum"),
            ("rpc.size_count", "By", "opentelemetry.java", "rpc_size_bytes_count"),
            ("rpc.size_sum", "By", "opentelemetry.java", "rpc_size_bytes_sum"),
            ("orders_count", "", "qmon.python", "orders_count_total"),
            ("orders_count", "", "", "orders_count_total"),
            ("orders.count", "", "opentelemetry.java", "orders_count_total"),
            ("sent_total", "By", "prometheus", "sent_bytes_total"),
        ],
    )
    def test_of_counters_are_those_a_dashboard_knows(self, page, metric, unit, sdk, name):
        point = Point(time=NOW, metric=metric, kind="counter", value=2, unit=unit)

        lines = page((Resource(host="box", sdk=sdk), point))

        assert [f'{name}{{instance="box"}} 2'] == lines

    def test_of_a_quantile_is_that_of_its_summary(self, page):
        point = gauge(2, quantile="0.5").replace(metric="rpc.size", unit="By")

        [line] = page((Resource(host="box", sdk="opentelemetry.java"), point))

        assert 'rpc_size_bytes{instance="box",quantile="0.5"} 2' == line
