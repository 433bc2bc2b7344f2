"""Spans of OpenTelemetry's API on our provider: what instrumentations say becomes our rows."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    use_span,
)

from qmon_sdk.otel import TracerProvider
from qmon_sdk.otel.limits import Limits

FAR = SpanContext(0x7F << 96 | 1, 0xFA, is_remote=True, trace_flags=TraceFlags(1))
DAY = 86_400_000_000_000


@pytest.fixture
def tracer(told):
    return TracerProvider().get_tracer("shop.tracing", "1.2")


class TestASpan:
    def test_says_its_library_its_kind_and_its_attributes(self, told, tracer):
        with tracer.start_as_current_span(
            "GET /", kind=SpanKind.SERVER, attributes={"a": 1}
        ) as span:
            span.set_attribute("b", 2.5)
            span.set_attributes({"a": "x", "c": True})

        row = told.span("GET /")
        scope = {"otel.scope.name": "shop.tracing", "otel.scope.version": "1.2"}
        assert {**scope, "a": "x", "b": "2.5", "c": "true"} == row.attributes
        assert ("server", "unset") == (row.kind, row.status)

    def test_writes_values_of_every_kind_as_text(self, told, tracer):
        values = {"none": None, "bytes": b"\0", "list": ["a", 1, None], "map": {"k": [1.5, b"x"]}}
        with tracer.start_as_current_span("s", attributes=values):
            pass

        found = told.span("s").attributes
        assert {"bytes": "AA==", "list": '["a",1,null]', "map": '{"k":[1.5,"eA=="]}'} == {
            key: found[key] for key in values if key in found
        }

    def test_hides_what_stands_under_the_name_of_a_secret(self, told, tracer):
        with tracer.start_as_current_span("s", attributes={"m": {"password": "hunter2"}}) as span:
            span.add_event("e", {"api_key": "hunter2"})

        assert "hunter2" not in str(told.span("s"))

    def test_keeps_what_values_were_when_they_were_told(self, told, tracer):
        items = ["a"]
        with tracer.start_as_current_span("s", attributes={"items": items}):
            items.append("b")

        assert '["a"]' == told.span("s").attributes["items"]

    def test_has_events_and_links_of_its_own(self, told, tracer):
        with tracer.start_as_current_span("s", links=[Link(FAR, {"why": "batch"})]) as span:
            span.add_event("retry", {"attempt": 2}, timestamp=DAY)
            span.add_link(FAR)

        row = told.span("s")
        assert [{"time": DAY, "name": "retry", "attributes": {"attempt": "2"}}] == json.loads(
            row.events
        )
        assert [{"why": "batch"}, {}] == [link["attributes"] for link in json.loads(row.links)]
        assert f"{FAR.trace_id:032x}" == json.loads(row.links)[0]["trace_id"]

    def test_leaves_out_links_that_point_nowhere_and_say_nothing(self, told, tracer):
        with tracer.start_as_current_span("s") as span:
            span.add_link(SpanContext(0, 0, is_remote=False))
            span.add_link(None)

        assert "" == told.span("s").links

    def test_takes_the_times_it_is_given_to_the_nanosecond(self, told, tracer):
        tracer.start_span("s", start_time=DAY + 1).end(DAY + 8)

        assert (DAY + 1, 7) == (told.span("s").time, told.span("s").duration_ns)

    def test_that_ends_before_it_began_took_no_time(self, told, tracer):
        tracer.start_span("s", start_time=DAY).end(DAY - 5)

        assert 0 == told.span("s").duration_ns

    def test_is_called_what_it_was_called_last(self, told, tracer):
        with tracer.start_as_current_span("first") as span:
            span.update_name("GET /cart")

        assert ["GET /cart"] == [row.name for row in told.spans]

    def test_ignores_everything_after_its_end(self, told, tracer):
        span = tracer.start_span("s")
        span.end()
        span.set_attribute("a", 1)
        span.add_event("e")
        span.update_name("other")
        span.set_status(StatusCode.ERROR)
        span.end()

        assert [("s", "unset", "")] == [(row.name, row.status, row.events) for row in told.spans]
        assert not span.is_recording()


class TestStatus:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ([StatusCode.ERROR, StatusCode.OK], "ok"),
            ([StatusCode.OK, StatusCode.ERROR], "ok"),
            ([StatusCode.ERROR, StatusCode.UNSET], "error"),
            ([Status(StatusCode.ERROR, "no"), StatusCode.UNSET], "error"),
            (["nonsense", None], "unset"),
        ],
    )
    def test_follows_the_rule_that_ok_is_final(self, told, tracer, said, expected):
        with tracer.start_as_current_span("s") as span:
            for each in said:
                span.set_status(each)

        assert expected == told.span("s").status

    def test_keeps_the_description_of_an_error_only(self, told, tracer):
        with tracer.start_as_current_span("s") as span:
            span.set_status(StatusCode.ERROR, "card declined")

        assert "card declined" == told.span("s").attributes["otel.status_description"]


class TestAnException:
    def test_is_an_event_of_each_span_and_one_error(self, told, tracer):
        block = tracer.start_as_current_span
        with pytest.raises(LookupError), block("outer"), block("inner"):
            raise LookupError("no such order")

        (error,) = told.all("error")
        told_in = [json.loads(row.events)[0]["attributes"] for row in told.spans]
        assert [error.error_id] * 2 == [each["qmon.error.id"] for each in told_in]
        assert ("LookupError", "no such order") == (
            told_in[0]["exception.type"],
            told_in[0]["exception.message"],
        )
        assert "test_otel_spans.py" in told_in[0]["exception.stacktrace"]
        assert ["error", "error"] == [row.status for row in told.spans]

    def test_belongs_to_the_innermost_span(self, told, tracer):
        with pytest.raises(LookupError), tracer.start_span("alone"):
            raise LookupError

        assert told.span("alone").span_id == told.all("error")[0].span_id

    def test_that_is_recorded_by_hand_changes_no_status(self, told, tracer):
        with tracer.start_as_current_span("s") as span:
            span.record_exception(ValueError("odd"), {"extra": 1})

        assert ("unset", 1) == (told.span("s").status, len(told.all("error")))
        assert "1" == json.loads(told.span("s").events)[0]["attributes"]["extra"]

    def test_is_left_alone_where_that_is_wanted(self, told, tracer):
        quiet = {"record_exception": False, "set_status_on_exception": False}
        with pytest.raises(ValueError, match="x"), tracer.start_as_current_span("s", **quiet):
            raise ValueError("x")

        assert ("", "unset", []) == (
            *told.span("s")[-2:-1],
            told.span("s").status,
            told.all("error"),
        )

    def test_that_ends_the_program_is_no_error(self, told, tracer):
        with pytest.raises(SystemExit), tracer.start_as_current_span("s"):
            raise SystemExit

        assert ("unset", []) == (told.span("s").status, told.all("error"))

    def test_is_unhandled_when_it_leaves_the_span_the_program_was_entered_by(self, told, tracer):
        with use_span(tracer.start_span("inner")) as inner:
            inner.record_exception(LookupError())
        with pytest.raises(KeyError), use_span(tracer.start_span("entry"), end_on_exit=True):
            raise KeyError

        found = {(error.type, error.handled) for error in told.all("error")}
        assert {("KeyError", False), ("LookupError", True)} == found

    def test_of_flask_is_unhandled_unless_the_application_answers_it(self, told):
        provider, app = TracerProvider(), Flask("shop")
        FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
        app.add_url_rule("/a", "a", view_func=lambda: 1 / 0)
        app.add_url_rule("/b", "b", view_func=lambda: {}["b"])
        app.register_error_handler(KeyError, lambda _: "sorry")

        answers = [app.test_client().get(path).status_code for path in ("/a", "/b")]

        assert [500, 200] == answers
        assert [("ZeroDivisionError", False)] == [(e.type, e.handled) for e in told.all("error")]


class TestLimits:
    def test_bound_attributes_events_and_links(self, told):
        limits = Limits(attributes=2, events=2, links=1, event_attributes=1)
        tracer = TracerProvider(limits=limits).get_tracer("t")
        with tracer.start_as_current_span("s", attributes={"a": 1, "b": 2, "c": 3}) as span:
            span.set_attributes({"a": 4, "d": 5})
            for number in range(3):
                span.add_event(f"e{number}", {"x": 1, "y": 2})
                span.add_link(FAR, {"n": number})

        assert {"a": 4, "b": 2} == span.attributes
        assert [("e1", {"x": 1}), ("e2", {"x": 1})] == [(e.name, e.attributes) for e in span.events]
        assert (2, 1, 2) == (span.dropped_attributes, span.dropped_events, span.dropped_links)

    def test_come_from_opentelemetrys_variables(self, told, monkeypatch):
        monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "7")
        monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "many")

        limits = TracerProvider().limits

        assert (7, 128, 7) == (limits.attributes, limits.events, limits.link_attributes)


class TestADecorator:
    def test_makes_a_span_of_every_call(self, told, tracer):
        @tracer.start_as_current_span("double")
        def double(number):
            return number * 2

        assert [4, 6] == [double(2), double(3)]
        assert 2 == len(told.spans)

    async def test_ends_when_the_coroutine_does(self, told, tracer):
        @tracer.start_as_current_span("outer")
        async def work():
            with tracer.start_as_current_span("inner"):
                return 1

        assert 1 == await work()
        assert told.span("outer").span_id == told.span("inner").parent_id


class TestWithoutAClient:
    def test_everything_works_and_nothing_is_kept(self):
        tracer = TracerProvider().get_tracer("t")
        with tracer.start_as_current_span("s", attributes={"a": 1}) as span:
            span.set_attribute("b", 2)
            span.add_event("e")

        assert (False, False) == (span.is_recording(), span.get_span_context().is_valid)

    def test_nor_after_the_providers_shutdown(self, told):
        provider = TracerProvider()
        tracer = provider.get_tracer("t")
        provider.shutdown()
        with tracer.start_as_current_span("s") as span:
            pass

        assert (False, []) == (span.is_recording(), told.spans)


class Hostile:
    """A value whose every method raises."""

    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __str__


class TestHostileValues:
    def test_neither_raise_nor_run(self, told, tracer):
        recursive = []
        recursive.append(recursive)
        with tracer.start_as_current_span("s", attributes={"h": Hostile(), "r": recursive}) as span:
            span.add_event("e", {"h": Hostile(), "nan": float("nan"), "half": "\ud800"})
            span.set_attribute("huge", [list(range(1000))] * 1000)

        assert len(told.span("s").attributes["huge"]) < 10_000
        assert told.span("s").events
