"""One context for both: native spans and OpenTelemetry's are each other's parents, everywhere."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from opentelemetry import context as api
from opentelemetry import propagate, trace
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
    use_span,
)

import qmon_sdk as qmon
from qmon_sdk.otel import TracerProvider

STATE = TraceState([("congo", "t61")])
FAR = SpanContext(0x7F << 96 | 1, 0xFA, True, TraceFlags(1), STATE)
LEFT_OUT = SpanContext(0x7F << 96 | 1, 0xFB, True, TraceFlags(0))


@pytest.fixture
def tracer(told):
    return TracerProvider().get_tracer("t")


def context_of(place):
    return set_span_in_context(NonRecordingSpan(place))


def lineage(told):
    """Say for each span whose child it is, by name."""
    names = {row.span_id: row.name for row in told.spans}
    return {row.name: names.get(row.parent_id, row.parent_id) for row in told.spans}


class TestParents:
    def test_are_the_innermost_open_span_of_either_kind(self, told, tracer):
        @qmon.instrument(name="d")
        def instrumented():
            with tracer.start_as_current_span("e"), qmon.span("f"):
                tracer.start_span("g").end()

        with qmon.span("a"), tracer.start_as_current_span("b"), qmon.span("c"):
            instrumented()
            tracer.start_span("h").end()

        assert {"a": "", "b": "a", "c": "b", "d": "c", "e": "d", "f": "e", "g": "f", "h": "c"} == (
            lineage(told)
        )
        assert 1 == len({row.trace_id for row in told.spans})

    def test_are_so_for_a_span_that_use_span_makes_current(self, told, tracer):
        span = tracer.start_span("a")
        with use_span(span, end_on_exit=True), qmon.span("b"):
            assert get_current_span().get_span_context().span_id != span.get_span_context().span_id
        assert not get_current_span().get_span_context().is_valid
        assert {"a": "", "b": "a"} == lineage(told)

    async def test_cross_tasks(self, told, tracer):
        @qmon.instrument(name="native")
        async def native():
            await asyncio.sleep(0)
            with tracer.start_as_current_span("inner"):
                await asyncio.sleep(0)

        with tracer.start_as_current_span("outer"):
            await asyncio.gather(native(), asyncio.create_task(native()))

        parents = [(row.name, row.parent_id) for row in told.spans]
        outer = told.span("outer").span_id
        assert 2 == parents.count(("native", outer))
        natives = {row.span_id for row in told.spans if row.name == "native"}
        assert natives == {parent for name, parent in parents if name == "inner"}

    def test_cross_threads_with_their_context(self, told, tracer):
        def work():
            with tracer.start_as_current_span("there"), qmon.span("deep"):
                pass

        with qmon.span("here"):
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(work,))
            thread.start()
            thread.join()

        assert {"here": "", "there": "here", "deep": "there"} == lineage(told)

    def test_cross_threads_that_attach_a_context(self, told, tracer):
        def work(context):
            token = api.attach(context)
            with qmon.span("native"):
                tracer.start_span("theirs").end()
            api.detach(token)

        with tracer.start_as_current_span("a"), qmon.span("b"):
            thread = threading.Thread(target=work, args=(api.get_current(),))
            thread.start()
            thread.join()

        assert {"a": "", "b": "a", "native": "b", "theirs": "native"} == lineage(told)

    def test_can_be_none_by_an_empty_context(self, told, tracer):
        with qmon.span("a"):
            token = api.attach(api.Context())
            with qmon.span("b"):
                pass
            api.detach(token)
            tracer.start_span("c", context=api.Context()).end()
            tracer.start_span("d").end()

        assert {"a": "", "b": "", "c": "", "d": "a"} == lineage(told)


class TestRemoteParents:
    def test_are_followed_with_their_state(self, told, tracer):
        with tracer.start_as_current_span("s", context=context_of(FAR)) as span:
            assert (FAR, STATE) == (span.parent, span.get_span_context().trace_state)
            assert STATE == tracer.start_span("deep").get_span_context().trace_state
            assert {} == tracer.start_span("other", api.Context()).get_span_context().trace_state
        assert {} == tracer.start_span("root").get_span_context().trace_state

        row = told.span("s")
        assert (f"{FAR.trace_id:032x}", f"{FAR.span_id:016x}") == (row.trace_id, row.parent_id)

    def test_are_followed_by_native_spans_and_headers(self, told, tracer):
        token = api.attach(context_of(FAR))
        with qmon.span("native"):
            headers = qmon.inject()
        api.detach(token)

        row = told.span("native")
        assert f"{FAR.span_id:016x}" == row.parent_id
        expected = {"traceparent": f"00-{row.trace_id}-{row.span_id}-01", "tracestate": "congo=t61"}
        assert expected == headers
        assert {} == qmon.inject()

    def test_that_were_left_out_leave_their_children_out(self, told, tracer):
        with tracer.start_as_current_span("s", context=context_of(LEFT_OUT)) as span:
            with qmon.span("native"), tracer.start_as_current_span("deep") as deep:
                assert not deep.is_recording()
            assert not span.get_span_context().trace_flags.sampled

        assert [] == told.spans
        assert 3 == qmon.stats().dropped["span/sample_rate"]

    def test_of_native_headers_are_followed_too(self, told, tracer):
        headers = {"traceparent": f"00-{1:032x}-{2:016x}-01", "tracestate": "a=1"}
        with qmon.continue_trace(headers), tracer.start_as_current_span("s") as span:
            assert {"a": "1"} == span.get_span_context().trace_state

        assert (f"{1:032x}", f"{2:016x}") == (told.span("s").trace_id, told.span("s").parent_id)


class TestHeaders:
    @pytest.mark.parametrize("native", [True, False])
    def test_say_which_span_is_open(self, told, tracer, native):
        with qmon.span("s") if native else tracer.start_as_current_span("s"):
            headers = {}
            propagate.inject(headers)
            assert headers["traceparent"] == qmon.inject()["traceparent"]

        assert told.span("s").span_id in headers["traceparent"]


class TestSampling:
    def test_decides_at_the_root_for_both(self, told):
        told.begin(traces_sample_rate=0.0)
        tracer = TracerProvider().get_tracer("t")
        with tracer.start_as_current_span("a") as span, qmon.span("b"):
            assert span.get_span_context().is_valid
            assert not span.is_recording()

        assert [] == told.spans
        assert 2 == qmon.stats().dropped["span/sample_rate"]


class TestTheContext:
    def test_keeps_any_value_and_gives_it_back(self, told, tracer):
        key = api.create_key("k")
        token = api.attach(api.set_value(key, [1]))
        with tracer.start_as_current_span("s"):
            inner = api.attach(api.set_value(key, "inner"))
            assert ("inner", "s") == (api.get_value(key), get_current_span().name)
            api.detach(inner)
            assert [1] == api.get_value(key)
        api.detach(token)

        assert api.get_value(key) is None

    def test_keeps_the_key_that_suppresses_instrumentations(self, told, tracer):
        with tracer.start_as_current_span("s"):
            token = api.attach(api.set_value(api._SUPPRESS_INSTRUMENTATION_KEY, True))
            with qmon.span("native"):
                assert api.get_value(api._SUPPRESS_INSTRUMENTATION_KEY)
            api.detach(token)
            assert not api.get_value(api._SUPPRESS_INSTRUMENTATION_KEY)

    def test_is_left_silently_by_a_foreigner(self, told, tracer, caplog):
        token = contextvars.copy_context().run(api.attach, context_of(FAR))
        with tracer.start_as_current_span("s") as span:
            api.detach(token)
            assert get_current_span() is span

        assert not caplog.records

    async def test_survives_a_generator_that_another_task_closes(self, told, tracer, caplog):
        async def items():
            with tracer.start_as_current_span("items"):
                yield 1
                yield 2

        stream = items()
        await asyncio.create_task(anext(stream))
        with tracer.start_as_current_span("here") as span:
            await asyncio.create_task(stream.aclose())
            assert get_current_span() is span

        assert not caplog.records
        assert {"items", "here"} == {row.name for row in told.spans}

    def test_is_the_same_object_until_something_changes(self, told, tracer):
        with tracer.start_as_current_span("s"):
            assert api.get_current() is api.get_current()


class TestTheOtherSideOfASpan:
    def test_native_words_reach_opentelemetrys_span(self, told, tracer):
        with tracer.start_as_current_span("s") as span:
            qmon.current_span().set_attribute("native", 1)
            qmon.current_span().set_status("error", "so it is")
            qmon.current_span().update_name("renamed")

        row = told.span("renamed")
        assert ("error", "1", 1) == (
            row.status,
            row.attributes["native"],
            span.attributes["native"],
        )

    def test_opentelemetrys_words_reach_the_native_span(self, told, tracer):
        with qmon.span("native"):
            span = trace.get_current_span()
            span.set_attribute("list", [1])
            span.add_event("one", {"n": 1})
            span.add_event("two")
            span.set_status(StatusCode.ERROR, "no")
            span.end()
            assert span.is_recording()

        row = told.span("native")
        assert ("error", "[1]") == (row.status, row.attributes["list"])
        assert '"name":"one"' in row.events
        assert '"name":"two"' in row.events

    def test_exceptions_recorded_there_are_one_error(self, told, tracer):
        error = ValueError("odd")
        with qmon.span("native"):
            trace.get_current_span().record_exception(error)
            qmon.capture_exception(error)

        assert [told.span("native").span_id] == [each.span_id for each in told.all("error")]

    def test_what_is_said_after_the_end_is_ignored(self, told, tracer):
        with qmon.span("native"):
            span = trace.get_current_span()
        span.set_attribute("late", 1)
        span.add_event("late")

        assert ({}, "") == (told.span("native").attributes, told.span("native").events)
