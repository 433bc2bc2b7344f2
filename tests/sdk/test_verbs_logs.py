"""Log lines, by our own logger and by the standard library's."""

from __future__ import annotations

import logging

import pytest

import qmon_sdk as qmon
from qmon_sdk.testing import capture


@pytest.fixture
def shop_logger():
    # Outside of the tree, to which pytest listens as well.
    logger = logging.Logger("shop.till", logging.DEBUG)  # noqa: LOG001
    logger.addHandler(qmon.LoggingHandler())
    return logger


class TestLog:
    def test_keeps_the_line_its_template_and_its_values(self, qmon_capture):
        with qmon.span("pay") as span:
            qmon.log.info("paid {amount} by {card}", amount=3, card="4111111111111111")
        (line,) = qmon_capture.logs
        assert (line.level, line.template) == ("info", "paid {amount} by {card}")
        assert line.body == "paid 3 by [scrubbed]"
        assert line.attributes == {"amount": "3", "card": "[scrubbed]"}
        assert (line.trace_id, line.span_id) == (span.trace_id, span.span_id)

    @pytest.mark.parametrize("level", ["trace", "debug", "info", "warn", "error", "fatal"])
    def test_has_the_levels_of_opentelemetry(self, qmon_capture, level):
        getattr(qmon.log, level)("a line")
        assert qmon_capture.logs[0].level == level

    @pytest.mark.parametrize("template", ["{", "{missing}", "{0}", "{amount!z}", "{amount.x}"])
    def test_shows_a_template_that_does_not_fit_as_it_is(self, qmon_capture, template):
        qmon.log.info(template, amount=3)
        assert qmon_capture.logs[0].body == template

    def test_can_say_who_speaks_and_repeat_attributes(self, qmon_capture):
        qmon.log.named("shop").bind(till=4).warning("empty", since=2)
        (line,) = qmon_capture.logs
        assert (line.logger, line.attributes) == ("shop", {"till": "4", "since": "2"})

    def test_keeps_the_exception_being_handled(self, qmon_capture):
        try:
            raise KeyError("order")
        except KeyError:
            qmon.log.exception("cannot pay")
        (line,) = qmon_capture.logs
        assert line.attributes == {"error_id": qmon_capture.errors[0].error_id}

    def test_is_silent_before_init(self):
        qmon.log.info("nobody listens {to}", to="this")

    def test_before_send_log_changes_and_drops_and_what_it_drops_is_counted(self):
        def hook(line):
            return None if line.body == "drop" else line.replace(body="changed")

        with capture(before_send_log=hook) as told:
            qmon.log.info("drop")
            qmon.log.info("keep")
            assert [line.body for line in told.logs] == ["changed"]
            assert qmon.stats().dropped == {"log/before_send": 1}


class TestLoggingHandler:
    def test_keeps_records_with_their_template_and_what_was_added(self, qmon_capture, shop_logger):
        shop_logger.warning("till %s is %s", 4, "empty", extra={"order": 7})
        (line,) = qmon_capture.logs
        assert (line.level, line.logger, line.body) == ("warn", "shop.till", "till 4 is empty")
        assert line.template == "till %s is %s"
        assert line.attributes.items() >= {"order": "7", "arg.0": "4", "arg.1": "empty"}.items()
        assert line.attributes["code.function.name"].startswith("test_keeps_records")

    def test_keeps_an_exception_as_an_error_once(self, qmon_capture, shop_logger):
        try:
            raise KeyError("order")
        except KeyError as error:
            qmon.capture_exception(error)
            shop_logger.exception("cannot pay")
            shop_logger.exception("still cannot")
        (error,) = qmon_capture.errors
        assert {line.attributes["error_id"] for line in qmon_capture.logs} == {error.error_id}

    def test_leaves_qmon_itself_alone(self, qmon_capture):
        logger = logging.Logger("qmon_sdk.anything")  # noqa: LOG001
        logger.addHandler(qmon.LoggingHandler())
        logger.warning("about ourselves")
        assert qmon_capture.logs == []

    def test_does_not_follow_a_value_that_logs_while_it_is_logged(self, qmon_capture, shop_logger):
        class Chatty:
            def __str__(self):
                shop_logger.warning("%s", Chatty())
                return "chatty"

        shop_logger.warning("%s", Chatty())
        assert [line.body for line in qmon_capture.logs] == ["chatty"]

    def test_respects_levels_and_filters(self, qmon_capture, shop_logger):
        (handler,) = shop_logger.handlers
        handler.setLevel(logging.ERROR)
        handler.addFilter(lambda record: "private" not in record.msg)
        shop_logger.warning("too quiet")
        shop_logger.error("private")
        shop_logger.error("heard")
        assert [line.body for line in qmon_capture.logs] == ["heard"]

    def test_keeps_the_template_of_a_record_that_cannot_be_written(self, qmon_capture, shop_logger):
        shop_logger.warning("%d", "three")
        (line,) = qmon_capture.logs
        assert (line.body, line.attributes["arg.0"]) == ("%d", "three")
