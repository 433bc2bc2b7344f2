"""`logging`, loguru and structlog, each by itself and piped into each other."""

from __future__ import annotations

import logging
import logging.config
import queue
import sys
import threading
from logging.handlers import QueueHandler, QueueListener

import loguru
import pytest
import structlog

import qmon_sdk as qmon
from qmon_sdk.integrations.structlog import processor
from qmon_sdk.logging_bridge import TraceIds
from qmon_sdk.testing import capture

LIBRARIES = ("logging", "loguru", "structlog")


@pytest.fixture
def hooked():
    """All three are watched, and configured as if nobody had."""
    structlog.reset_defaults()
    loguru.logger.remove()
    level = logging.root.level
    logging.root.setLevel(logging.DEBUG)
    with capture(integrations=LIBRARIES) as told:
        yield told
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def shop():
    logger = logging.getLogger("shop.till")
    yield logger
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture
def quiet():
    """A logger outside of the tree, to which pytest does not listen."""
    logger = logging.Logger("shop.quiet", logging.DEBUG)  # noqa: LOG001
    logger.addHandler(logging.NullHandler())
    return logger


def failing():
    raise ValueError("broken")


def handled(tell):
    """Have an exception told by somebody who handles it."""
    try:
        failing()
    except ValueError:
        tell()


class TestLogging:
    def test_is_seen_without_any_handler(self, hooked, shop):
        with qmon.span("pay") as span:
            shop.info("paid %s", 3, extra={"order": 7})
        (line,) = hooked.logs
        assert ("info", "shop.till", "paid 3") == (line.level, line.logger, line.body)
        assert ("paid %s", "7") == (line.template, line.attributes["order"])
        assert (span.trace_id, span.span_id) == (line.trace_id, line.span_id)

    def test_is_seen_where_it_does_not_propagate(self, hooked, shop):
        shop.propagate = False
        shop.info("only here")
        assert ["only here"] == [line.body for line in hooked.logs]

    def test_is_seen_from_the_level_in_the_settings_on(self, shop):
        shop.setLevel(logging.DEBUG)
        with capture(integrations=("logging",), log_level="warn") as told:
            shop.info("quiet")
            shop.warning("loud")
            assert ["loud"] == [line.body for line in told.logs]

    def test_loses_no_line_of_the_levels_that_the_program_wants(self, hooked, shop):
        shop.setLevel(logging.ERROR)
        shop.warning("not wanted")
        shop.setLevel(logging.NOTSET)
        shop.debug("below ours")
        assert [] == hooked.logs

    def test_makes_an_error_of_what_is_logged_as_one(self, hooked, shop):
        handled(lambda: shop.exception("cannot pay"))
        (line,), (error,) = hooked.logs, hooked.errors
        assert ("error", True) == (error.level, error.handled)
        assert error.error_id == line.attributes["error_id"]

    def test_makes_no_error_of_a_line_alone_nor_of_what_was_coped_with(self, hooked, shop):
        shop.error("only words")
        handled(lambda: shop.warning("again in a second", exc_info=True))
        assert (2, []) == (len(hooked.logs), hooked.errors)
        attributes = hooked.logs[1].attributes
        assert ("ValueError", "broken") == (
            attributes["exception.type"],
            attributes["exception.message"],
        )

    def test_is_kept_once_beside_handlers_of_ours(self, hooked, shop):
        shop.addHandler(qmon.LoggingHandler())
        logging.root.addHandler(root := qmon.LoggingHandler())
        try:
            shop.warning("once")
        finally:
            logging.root.removeHandler(root)
        assert ["once"] == [line.body for line in hooked.logs]

    def test_is_seen_through_any_configuration_that_comes_later(self, hooked, shop):
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
        shop.warning("still here")
        assert ["still here"] == [line.body for line in hooked.logs]

    def test_says_what_it_always_said_in_programs_that_configure_nothing(self, ended):
        done = ended("""
            import logging, qmon_sdk as qmon
            qmon.init()
            logging.getLogger("shop").warning("visible")
            logging.basicConfig(format="configured: %(message)s")
            logging.getLogger("shop").warning("visible")
        """)
        assert "visible\nconfigured: visible\n" == done.err
        assert 2 == len(done.all("log"))

    def test_names_the_caller_and_not_us(self, hooked, shop, caplog):
        shop.warning("from here")
        assert __file__ == caplog.records[0].pathname

    def test_can_be_written_by_what_interrupts_it(self, hooked, quiet):
        class Interrupting:
            def __str__(self):
                quiet.warning("interrupted")
                return "value"

        quiet.warning("%s", Interrupting())
        assert ["value"] == [line.body for line in hooked.logs]
        assert {"log/reentrant": 1} == qmon.stats().dropped

    def test_is_left_alone_afterwards(self):
        before = logging.Logger.callHandlers
        with capture(integrations=("logging",)):
            assert logging.Logger.callHandlers is not before
        assert logging.Logger.callHandlers is before

    @pytest.mark.parametrize("args", [(), (1, 2, 3), ({"a": 1},)])
    def test_keeps_lines_whose_values_do_not_fit(self, hooked, quiet, args):
        record = logging.LogRecord("shop", 40, "f.py", 1, "%d %d", args, None)
        quiet.handle(record)
        assert ["%d %d"] == [line.body for line in hooked.logs]

    @pytest.mark.parametrize(
        "fields",
        [
            {"msg": object(), "exc_info": True, "levelno": 40},
            {"msg": None, "args": 5, "levelno": 40},
            {"msg": "x", "levelno": 40, "name": None, "created": 7},
        ],
    )
    def test_survives_records_made_by_hand(self, hooked, quiet, fields):
        quiet.callHandlers(logging.makeLogRecord(fields))
        assert 1 == len(hooked.logs)


class TestTraceIds:
    def test_are_there_for_formatters(self, hooked, shop, capsys):
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(service)s %(trace_id)s %(span_id)s"))
        handler.addFilter(TraceIds())
        shop.addHandler(handler)
        with qmon.span("pay") as span:
            shop.warning("inside")
        shop.warning("outside")
        assert f"test {span.trace_id} {span.span_id}\ntest  \n" == capsys.readouterr().out

    def test_are_no_attributes_of_the_line(self, hooked, shop):
        shop.addFilter(only := TraceIds())
        shop.warning("inside")
        shop.removeFilter(only)
        assert not {"trace_id", "span_id", "service"} & set(hooked.logs[0].attributes)

    def test_are_empty_before_init(self):
        record = logging.makeLogRecord({})
        assert TraceIds().filter(record)
        assert ("", "", "") == (record.trace_id, record.span_id, record.service)


class TestLoguru:
    def test_is_seen_with_what_was_bound_and_patched(self, hooked):
        logger = loguru.logger.bind(till=4).patch(lambda r: r["extra"].update(patched=True))
        with qmon.span("pay") as span:
            logger.info("paid {amount} at {}", "once", amount=3)  # noqa: PLE1205 - loguru's way
        (line,) = hooked.logs
        assert ("info", "paid 3 at once") == (line.level, line.body)
        assert {"till": "4", "patched": "true", "amount": "3"}.items() <= line.attributes.items()
        assert line.attributes["code.function.name"].startswith("test_is_seen")
        assert (span.trace_id, span.span_id) == (line.trace_id, line.span_id)

    def test_makes_an_error_of_an_exception(self, hooked):
        handled(lambda: loguru.logger.exception("cannot pay"))
        (line,), (error,) = hooked.logs, hooked.errors
        assert ("ValueError", error.error_id) == (error.type, line.attributes["error_id"])

    def test_makes_an_error_of_what_it_catches(self, hooked):
        loguru.logger.catch(failing)()
        assert ["broken"] == [error.message for error in hooked.errors]

    @pytest.mark.parametrize(
        ("name", "level"),
        [("TRACE", None), ("DEBUG", None), ("SUCCESS", "info"), ("CRITICAL", "fatal")],
    )
    def test_has_levels_of_its_own(self, hooked, name, level):
        loguru.logger.log(name, "a line")
        assert [level] * bool(level) == [line.level for line in hooked.logs]

    def test_is_seen_after_all_sinks_were_removed(self, hooked):
        loguru.logger.remove()
        loguru.logger.configure(handlers=[])
        loguru.logger.warning("still here")
        assert ["still here"] == [line.body for line in hooked.logs]

    def test_is_left_alone_afterwards(self):
        before = set(loguru.logger._core.handlers)
        with capture(integrations=("loguru",)):
            assert before != set(loguru.logger._core.handlers)
        assert before == set(loguru.logger._core.handlers)

    def test_is_watched_when_imported_later(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init()
            from loguru import logger
            logger.warning("late")
        """)
        assert ["late"] == [line.body for line in done.all("log")]


class TestStructlog:
    def test_is_seen_as_it_comes(self, hooked, capsys):
        with qmon.span("pay") as span, structlog.contextvars.bound_contextvars(request=9):
            structlog.get_logger().bind(till=4).info("paid", amount=3)
        (line,) = hooked.logs
        assert ("info", "paid", "paid") == (line.level, line.body, line.template)
        assert {"till": "4", "amount": "3", "request": "9"} == line.attributes
        assert (span.trace_id, span.span_id) == (line.trace_id, line.span_id)
        assert "paid" in capsys.readouterr().out

    def test_makes_an_error_of_an_exception(self, hooked):
        handled(lambda: structlog.get_logger().exception("cannot pay"))
        (line,), (error,) = hooked.logs, hooked.errors
        assert ("error", error.error_id) == (line.level, line.attributes["error_id"])

    def test_keeps_nothing_of_what_the_program_drops(self, hooked):
        def dropping(*_):
            raise structlog.DropEvent

        structlog.configure(processors=[dropping])
        structlog.get_logger().warning("dropped")
        assert [] == hooked.logs

    def test_takes_a_processor_that_adds_trace_ids(self, hooked):
        seen = []
        structlog.configure(
            processors=[processor, lambda _, __, event: (seen.append(event), "")[1]]
        )
        with qmon.span("pay") as span:
            structlog.get_logger().info("paid", amount=3)
        assert (span.trace_id, span.span_id) == (seen[0]["trace_id"], seen[0]["span_id"])
        assert [{"amount": "3"}] == [line.attributes for line in hooked.logs]

    def test_fills_values_in_as_logging_does(self, hooked):
        configure_through_logging()
        structlog.get_logger("shop").info("paid %d of %s", 3, "all")
        assert ["paid 3 of all"] == [line.body for line in hooked.logs]

    async def test_is_seen_from_coroutines(self, hooked):
        await structlog.get_logger().ainfo("paid")
        assert ["paid"] == [line.body for line in hooked.logs]


def configure_through_logging(renderer=None):
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            renderer or structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


class Intercepting(logging.Handler):
    """As loguru's documentation hands lines of `logging` over."""

    def emit(self, record):
        loguru.logger.opt(depth=6, exception=record.exc_info).log(
            record.levelname, record.getMessage()
        )


class Propagating(logging.Handler):
    """As loguru's documentation hands lines to `logging`."""

    def emit(self, record):
        logging.getLogger(record.name).handle(record)


class TestPipes:
    @pytest.mark.parametrize("wrap", [None, structlog.stdlib.ProcessorFormatter.wrap_for_formatter])
    def test_from_structlog_through_logging_carry_a_line_once(self, hooked, wrap):
        configure_through_logging(wrap)
        for word in ('say "hi"', "paid", "paid"):
            structlog.get_logger("shop").info(word, amount=3)
        assert [('say "hi"', "3"), ("paid", "3"), ("paid", "3")] == [
            (line.body, line.attributes["amount"]) for line in hooked.logs
        ]

    def test_from_logging_to_loguru_carry_a_line_once(self, hooked, shop):
        shop.addHandler(Intercepting())
        handled(lambda: shop.exception("cannot pay"))
        shop.info("paid")
        assert ["cannot pay", "paid"] == [line.body for line in hooked.logs]
        assert 1 == len(hooked.errors)

    @pytest.mark.parametrize("form", ["{message}", "{time} | {level} | {message}"])
    def test_from_loguru_to_logging_carry_a_line_once(self, hooked, form):
        number = loguru.logger.add(Propagating(), format=form)
        loguru.logger.warning("paid")
        loguru.logger.remove(number)
        assert ["paid"] == [line.body for line in hooked.logs]

    def test_from_structlog_through_both_carry_a_line_once(self, hooked, shop):
        configure_through_logging()
        shop.addHandler(Intercepting())
        structlog.get_logger("shop.till").info("paid", by="Zoë")
        assert ["paid"] == [line.body for line in hooked.logs]

    def test_let_two_say_the_same_who_do_not_know_each_other(self, hooked, shop):
        shop.info("started")
        shop.info("started")
        loguru.logger.info("something else")
        shop.info("started")
        assert 4 == len(hooked.logs)

    def test_into_queues_carry_a_line_once(self, hooked, shop):
        shop.addHandler(QueueHandler(queue.SimpleQueue()))
        shop.info("paid")
        assert ["paid"] == [line.body for line in hooked.logs]

    def test_over_queues_to_another_library_carry_a_line_once(self, hooked, shop):
        lines = queue.SimpleQueue()
        shop.addHandler(QueueHandler(lines))
        listener = QueueListener(lines, Intercepting())
        listener.start()
        for word in ("paid", "paid", "shipped"):
            shop.info(word)
        listener.stop()
        assert ["paid", "paid", "shipped"] == [line.body for line in hooked.logs]

    def test_over_loguru_and_its_queue_carry_a_line_once(self, hooked):
        number = loguru.logger.add(Propagating(), format="{message}", enqueue=True)
        for word in ("paid", "paid", "shipped"):
            loguru.logger.warning(word)
        loguru.logger.remove(number)
        assert ["paid", "paid", "shipped"] == [line.body for line in hooked.logs]

    def test_let_two_threads_say_the_same_who_do_not_know_each_other(self, hooked, shop):
        loguru.logger.info("begun")
        shop.info("started")
        thread = threading.Thread(target=loguru.logger.info, args=("started",))
        thread.start()
        thread.join()
        assert 2 == len(hooked.logs)
