"""What the flight ring holds of OpenTelemetry's spans when the process dies with them open."""

from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, use_span

from qmon_sdk.otel import TracerProvider
from qmon_sdk.protocol.flight_reader import read_flight
from qmon_sdk.spans import span


@pytest.fixture
def flying(told, tmp_path):
    """A tracer, and how to read the ring."""
    told.begin(flight_dir=str(tmp_path / "flight"), flush_interval_s=60)

    def read():
        (path,) = (tmp_path / "flight").glob("*.ring")
        return read_flight(path.read_bytes())

    return TracerProvider().get_tracer("t"), read


def open_names(seen):
    return sorted(one.span.name for one in seen.open_spans)


class TestOpenSpans:
    def test_are_in_the_ring_while_they_are_open(self, flying):
        tracer, read = flying
        with tracer.start_as_current_span("outer", kind=SpanKind.SERVER), span("native"):
            manual = tracer.start_span("manual")
            with use_span(manual):
                assert ["manual", "native", "outer"] == open_names(read())
            assert ["manual", "native", "outer"] == open_names(read())
            manual.end()
            assert ["native", "outer"] == open_names(read())

        assert [] == open_names(read())

    def test_have_their_parents_and_kinds(self, flying):
        tracer, read = flying
        block = tracer.start_as_current_span
        with block("a", kind=SpanKind.SERVER) as outer, block("b"):
            a, b = sorted((one.span for one in read().open_spans), key=lambda one: one.name)

        assert ("server", f"{outer.context.span_id:016x}") == (a.kind, a.span_id)
        assert (a.trace_id, a.span_id) == (b.trace_id, b.parent_id)


class TestFinishedSpans:
    def test_are_in_the_ring_with_events_links_and_the_time_they_were_told(self, flying):
        tracer, read = flying
        told = tracer.start_span("s", start_time=5_000, attributes={"a": [1]})
        told.add_event("e", timestamp=6_000)
        told.end(end_time=9_000)

        (row,) = read().spans
        assert ("[1]", 5_000, 4_000) == (row.attributes["a"], row.time, row.duration_ns)
        assert '"name":"e"' in row.events
