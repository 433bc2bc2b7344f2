"""What points are called as series of Prometheus, and which labels tell them apart."""

from __future__ import annotations

import pytest

from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks._scraped import text_of
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
        text = "".join(text_of(sink._totals.since(0), sink.bounds))
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

    def test_say_the_service_too_where_a_point_says_another_job(self, page):
        who = Resource(service="shop", host="box", environment="production")

        [line] = page((who, gauge(1, job="nightly", environment="test")))

        assert 'load{environment="test",instance="box",job="nightly",service="shop"} 1' == line
