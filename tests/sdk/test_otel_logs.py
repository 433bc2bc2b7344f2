"""OpenTelemetry's log records as our lines."""

from __future__ import annotations

import logging

import pytest
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import qmon_sdk as qmon
from qmon_sdk.otel import LoggerProvider

FAR = SpanContext(0x7F << 96 | 1, 0xFA, True, TraceFlags(1))


class Bridge(logging.Handler):
    """Hands records of `logging` to OpenTelemetry, as its own handler does."""

    def __init__(self, logger):
        super().__init__()
        self.logger = logger

    def emit(self, record):
        self.logger.emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                severity_number=SeverityNumber.WARN,
                body=record.getMessage(),
            )
        )


@pytest.fixture
def logger(told):
    return LoggerProvider().get_logger("shop", "3")


class TestALine:
    def test_says_what_the_record_says(self, told, logger):
        logger.emit(
            LogRecord(
                timestamp=7,
                severity_number=SeverityNumber.WARN2,
                body="low on tea",
                attributes={"left": 3, "of": ["a"]},
            )
        )

        (line,) = told.all("log")
        assert (7, "warn", "low on tea", "shop") == (line.time, line.level, line.body, line.logger)
        assert {"left": "3", "of": '["a"]', "otel.scope.version": "3"} == line.attributes

    def test_may_be_made_of_keywords(self, told, logger):
        logger.emit(body={"a": [1, None]}, severity_text="CRITICAL", event_name="cart.paid")

        (line,) = told.all("log")
        assert ('{"a":[1,null]}', "fatal") == (line.body, line.level)
        assert ("cart.paid", "cart.paid") == (line.template, line.attributes["event.name"])

    def test_belongs_to_the_open_span(self, told, logger):
        with qmon.span("s"):
            logger.emit(body="here")
            logger.emit(LogRecord(body="here too"))

        span = told.span("s")
        assert {(span.trace_id, span.span_id)} == {(e.trace_id, e.span_id) for e in told.all("log")}

    def test_belongs_to_the_span_of_the_context_it_brings(self, told, logger):
        logger.emit(body="far", context=set_span_in_context(NonRecordingSpan(FAR)))

        assert f"{FAR.span_id:016x}" == told.all("log")[0].span_id

    def test_brings_its_exception_as_an_error_once(self, told, logger):
        error = ValueError("odd")
        qmon.capture_exception(error)
        logger.emit(body="failed", exception=error)

        (kept,) = told.all("error")
        line = told.all("log")[0].attributes
        assert (kept.error_id, "ValueError") == (line["error_id"], line["exception.type"])

    def test_of_logging_is_kept_once_however_it_comes(self, told):
        told.begin(integrations=("logging",))
        provider = LoggerProvider()
        handler, shop = Bridge(provider.get_logger("shop")), logging.getLogger("shop")
        shop.addHandler(handler)
        shop.warning("low on %s", "tea")
        shop.removeHandler(handler)
        provider.shutdown()

        assert ["low on tea"] == [line.body for line in told.all("log")]

    def test_hides_secrets(self, told, logger):
        logger.emit(body={"password": "hunter2"}, attributes={"token": "hunter2"})

        assert "hunter2" not in str(told.all("log"))

    @pytest.mark.parametrize(
        ("number", "word", "level"),
        [
            (1, "", "trace"),
            (8, "", "debug"),
            (9, "FATAL", "info"),
            (24, "", "fatal"),
            (99, "warning", "warn"),
            (None, None, "info"),
            (0, "nonsense", "info"),
        ],
    )
    def test_has_the_level_of_its_number_or_else_its_word(self, told, logger, number, word, level):
        logger.emit(body="x", severity_number=number, severity_text=word)

        assert level == told.all("log")[0].level


class TestTheProvider:
    def test_says_whether_anybody_listens(self, told, logger):
        assert logger.enabled(severity_number=SeverityNumber.DEBUG)
        qmon.shutdown()
        assert not logger.enabled()
        logger.emit(body="to nobody")

    def test_gives_silent_loggers_after_its_shutdown(self, told):
        provider = LoggerProvider()
        provider.shutdown()

        assert isinstance(provider.get_logger("x"), NoOpLogger)
        assert provider.force_flush(1000)

    def test_says_who_speaks(self, told):
        told.begin(service="shop", release="1.2")

        resource = LoggerProvider().resource
        assert ("shop", "1.2") == (
            resource.attributes["service.name"],
            resource.attributes["service.version"],
        )
