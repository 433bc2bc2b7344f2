"""Traces that come in and go out."""

from __future__ import annotations

import pytest

import qmon_sdk as qmon
from qmon_sdk.propagation import headers_of
from qmon_sdk.w3c import parse_baggage, parse_parent, parse_states

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"


class TestContinueTrace:
    @pytest.mark.parametrize(
        "carrier",
        [
            {"traceparent": HEADER},
            {"TraceParent": HEADER},
            {"HTTP_TRACEPARENT": HEADER},
            [(b"traceparent", HEADER.encode())],
        ],
        ids=["mapping", "case", "environ", "pairs"],
    )
    def test_makes_spans_children_of_the_caller(self, qmon_capture, carrier):
        with qmon.continue_trace(carrier), qmon.span("work"):
            pass
        span = qmon_capture.span("work")
        assert (span.trace_id, span.parent_id) == (TRACE, PARENT)

    def test_opens_a_span_when_it_is_given_a_name(self, qmon_capture):
        with qmon.continue_trace({"traceparent": HEADER}, name="job"):
            pass
        assert qmon_capture.span("job").parent_id == PARENT

    async def test_is_an_async_context_manager_too(self, qmon_capture):
        async with qmon.continue_trace({"traceparent": HEADER}, name="job"):
            pass
        assert qmon_capture.span("job").trace_id == TRACE

    @pytest.mark.parametrize("carrier", [None, {}, {"traceparent": "nonsense"}, {1: 2}])
    def test_begins_a_trace_of_its_own_without_good_headers(self, qmon_capture, carrier):
        with qmon.continue_trace(carrier, name="job"):
            assert "tracestate" not in qmon.inject()
        span = qmon_capture.span("job")
        assert span.parent_id == ""
        assert span.trace_id not in {TRACE, ""}

    def test_does_not_record_what_the_caller_did_not(self, qmon_capture):
        with qmon.continue_trace({"traceparent": HEADER[:-1] + "0"}, name="job"):
            assert qmon.inject()["traceparent"].endswith("-00")
        assert qmon_capture.spans == []


class TestInject:
    def test_passes_on_what_came_in(self, qmon_capture):
        carrier = {"traceparent": HEADER, "tracestate": "a=1, b=2", "baggage": "k=v%20x;p"}
        with qmon.continue_trace(carrier), qmon.span("work") as span:
            headers = qmon.inject()
        assert headers == {
            "traceparent": f"00-{TRACE}-{span.span_id}-01",
            "tracestate": "a=1,b=2",
            "baggage": "k=v%20x;p",
        }
        assert qmon.inject() == {}

    def test_fills_the_carrier_it_is_given(self, qmon_capture):
        carrier = {"accept": "*/*"}
        with qmon.span("work"):
            assert qmon.inject(carrier) is carrier
        assert set(carrier) == {"accept", "traceparent"}

    def test_speaks_other_formats_on_request(self, qmon_capture):
        with qmon.span("work") as span:
            headers = qmon.inject(formats=("b3", "sentry"))
        told = f"{span.trace_id}-{span.span_id}-1"
        assert headers == {"b3": told, "sentry-trace": told}

    def test_never_passes_on_what_would_split_a_header(self, qmon_capture):
        carrier = {"traceparent": HEADER, "tracestate": "a=1\r\nx: y", "baggage": "k=v\r\nx: y"}
        with qmon.continue_trace(carrier, name="job"):
            assert set(qmon.inject()) == {"traceparent"}

    def test_is_silent_before_init(self):
        assert qmon.inject() == {}


class TestHeaders:
    def test_two_parents_are_none_and_states_are_joined(self):
        pairs = [("traceparent", HEADER)] * 2 + [("tracestate", "a=1"), ("TraceState", "b=2")]
        assert headers_of(pairs) == {"traceparent": "", "tracestate": "a=1,b=2"}

    @pytest.mark.parametrize(
        "header",
        [
            "",
            HEADER.upper(),
            HEADER[:-1],
            HEADER + "-extra",
            "ff" + HEADER[2:],
            HEADER.replace(TRACE, "0" * 32),
            HEADER.replace(PARENT, "0" * 16),
            HEADER.replace("-", "_"),
            HEADER.replace("4bf", "4bg"),
        ],
    )
    def test_a_parent_that_is_not_exactly_right_is_none(self, header):
        assert parse_parent(header) is None

    def test_a_later_version_may_say_more(self):
        assert parse_parent("cc" + HEADER[2:] + "-more").span_id == PARENT

    @pytest.mark.parametrize(
        "header",
        ["a", "A=1", "a=1,a=2", "a=b=c", "a=\x01", ",".join(f"k{n}=1" for n in range(33)), "@x=1"],
    )
    def test_states_with_one_wrong_member_are_none(self, header):
        assert parse_states(header) == ()

    def test_states_of_several_tenants_are_told_apart(self):
        assert parse_states("1a@sys=x , ,b=2") == (("1a@sys", "x"), ("b", "2"))

    def test_wrong_members_of_a_baggage_are_left_out(self):
        (member,) = parse_baggage("a b=1, =2, x, good=%C3%BC%zz;p=1;b@d=2")
        assert (member.key, member.value, member.properties) == ("good", "ü%zz", ("p=1",))
