"""Exceptions that OpenTelemetry tells of: errors, once each, of a span's event or of a line."""

from __future__ import annotations

import json

import pytest

from qmon_agent.ingest.growth import Growth
from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
from qmon_agent.ingest.otlp.translation import Translator
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.signals import Error

PLACE = {"traceId": "ab" * 16, "spanId": "cd" * 8}
TOLD = {"exception.type": "shop.NoPlan", "exception.message": "no plan"}


def attributes(told):
    return [{"key": key, "value": {"stringValue": text}} for key, text in told.items()]


def a_span(told, name="exception", **resource):
    event = {"name": name, "timeUnixNano": "7", "attributes": attributes(told)}
    span = {**PLACE, "name": "pay", "startTimeUnixNano": "5", "events": [event]}
    who = {"attributes": attributes(resource)}
    return {"resourceSpans": [{"resource": who, "scopeSpans": [{"spans": [span]}]}]}


def a_line(told, **fields):
    record = {**PLACE, "timeUnixNano": "8", "attributes": attributes(told), **fields}
    return {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "shop"}, "logRecords": [record]}]}]}


class Telling:
    """A translator, and what became of the messages it was told."""

    def __init__(self) -> None:
        self.translator = Translator(Growth(began=0), now=lambda: 9)

    def tell(self, lane, message, keep=True):
        told = self.translator.translate(lane, json.dumps(message).encode(), JsonEncoding())
        self.translator.kept() if keep else self.translator.refused(told)
        return [signal for _, signals in told.parcel.groups for signal in signals]

    def errors(self, lane, message, keep=True):
        return [one for one in self.tell(lane, message, keep) if type(one) is Error]


@pytest.fixture
def telling():
    return Telling()


class TestAnExceptionOfASpan:
    def test_is_an_error_at_its_place(self, telling):
        (error,) = telling.errors("traces", a_span(TOLD))

        assert ("NoPlan", "no plan", 7) == (error.type, error.message, error.time)
        assert tuple(PLACE.values()) == (error.trace_id, error.span_id)

    @pytest.mark.parametrize(("escaped", "handled"), [("true", False), ("False", True)])
    def test_is_unhandled_where_it_left_the_span(self, telling, escaped, handled):
        (error,) = telling.errors("traces", a_span({**TOLD, "exception.escaped": escaped}))

        assert handled is error.handled

    def test_is_none_where_the_event_has_another_name(self, telling):
        assert [] == telling.errors("traces", a_span(TOLD, name="retry"))

    def test_is_the_same_error_when_its_message_comes_again(self, telling):
        first, again = (telling.errors("traces", a_span(TOLD)) for _ in range(2))

        assert first == again


class TestAnExceptionOfALine:
    def test_is_an_error_that_the_line_names(self, telling):
        error, line = telling.tell("logs", a_line(TOLD, severityNumber=21, body=None))

        assert ("fatal", "fatal") == (error.level, line.level)
        assert line.attributes["error_id"] == error.error_id

    def test_is_none_where_its_span_told_of_it(self, telling):
        telling.tell("traces", a_span(TOLD))

        assert [] == telling.errors("logs", a_line(TOLD))

    def test_is_told_after_all_where_the_span_was_refused(self, telling):
        telling.tell("traces", a_span(TOLD), keep=False)

        assert 1 == len(telling.errors("logs", a_line(TOLD)))

    def test_of_an_agent_that_passes_it_on_is_that_error_and_nothing_else(self, telling):
        ours = {"qmon.error.id": "e1", "qmon.error.grouping": "g1", "qmon.error.handled": "false"}
        (error,) = telling.tell("logs", a_line({**TOLD, **ours, "user.id": "ada"}))

        assert ("e1", "g1", False) == (error.error_id, error.grouping, error.handled)
        assert ("ada", {}) == (error.user_id, error.attributes)


class TestWhoSpeaks:
    def test_is_known_by_its_fields_and_the_rest_by_attributes(self, telling):
        told = {
            "service.name": "shop",
            "service.version": "1",
            "deployment.environment": "prod",
            "process.pid": "7",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.language": "go",
            "cloud.region": "eu",
        }
        body = json.dumps(a_span({}, **told)).encode()
        parcel = telling.translator.translate("traces", body, JsonEncoding()).parcel

        who = parcel.groups[0][0]
        assert ("shop", "1", "prod", 7, "opentelemetry.go") == (*who[:3], who.pid, who.sdk)
        assert {"cloud.region": "eu"} == who.attributes


class TestBadValues:
    @pytest.mark.parametrize("depth", [200, 100_000])
    def test_within_one_another_do_no_harm(self, telling, depth):
        value = '{"arrayValue":{"values":[' * depth + "]}}" * depth
        body = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + value + "}]}]}]}"
        try:
            told = telling.translator.translate("logs", body.encode(), JsonEncoding())
        except WireError:
            return

        assert 1 == len(told.parcel.groups)

    @pytest.mark.parametrize("time", ["18446744073709551615", "-5", "9223372036854775808"])
    def test_of_time_reject_what_they_belong_to(self, telling, time):
        assert [] == telling.tell("logs", a_line({}, timeUnixNano=time))
