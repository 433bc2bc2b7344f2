"""Hooks, lines and monitors where it hurts: hostile values, `__del__`, signals, the very end."""

from __future__ import annotations

import logging
import math

import loguru
import pytest
import structlog

import qmon_sdk as qmon
from qmon_sdk.testing import capture

BEGIN = "import qmon_sdk as qmon\nqmon.init()\n"


class HostileError(Exception):
    """Whatever is asked of it, it refuses."""

    def _refuse(self, *_):
        raise RuntimeError("hostile")

    __str__ = __repr__ = __eq__ = __getattr__ = __format__ = __bool__ = __len__ = _refuse
    __hash__ = object.__hash__


def loop():
    itself = []
    itself.append(itself)
    return itself


VALUES = {
    "hostile": HostileError,
    "recursive": loop,
    "nan": lambda: math.nan,
    "surrogate": lambda: "\ud800",
    "huge": lambda: "x" * 10_000_000,
    "huge number": lambda: 10**5000,
    "bytes": lambda: b"\xff" * 100,
    "nothing": lambda: None,
}


@pytest.fixture(params=VALUES)
def value(request):
    return VALUES[request.param]()


@pytest.fixture
def hooked():
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[quiet])
    loguru.logger.remove()
    with capture(integrations=("logging", "loguru", "structlog")) as told:
        yield told
    structlog.reset_defaults()


def quiet(*_):
    return ""


class TestLines:
    def test_of_logging_take_any_value(self, hooked, value):
        logger = logging.Logger("outside", logging.DEBUG)  # noqa: LOG001
        logger.addHandler(logging.NullHandler())
        logger.warning("%s", value, extra={"value": value})
        logger.warning(value)
        assert 2 == len(hooked.logs)

    def test_of_loguru_take_any_value(self, hooked, value):
        loguru.logger.bind(value=value).warning("bound")
        assert ["bound"] == [line.body for line in hooked.logs]

    def test_of_structlog_take_any_value(self, hooked, value):
        structlog.get_logger().bind(value=value).warning(value)
        assert 1 == len(hooked.logs)

    def test_of_structlog_take_any_exception(self, hooked, value):
        structlog.get_logger().error("failed", exc_info=value)
        assert 1 == len(hooked.logs)

    def test_are_small_however_large_the_value(self, hooked):
        structlog.get_logger().warning("x" * 10_000_000, value="y" * 10_000_000)
        (line,) = hooked.logs
        assert (
            len(line.body) + len(line.template) + sum(map(len, line.attributes.values())) < 20_000
        )

    def test_of_many_names_stay_within_bounds(self, hooked):
        structlog.get_logger().warning("many", **{f"key{n}": n for n in range(1_000)})
        assert len(hooked.logs[0].attributes) <= 256


class TestMonitors:
    def test_take_any_name(self, qmon_capture, value):
        with qmon.monitor(value if not callable(value) else "x"):
            pass
        qmon.heartbeat(value)
        assert 3 == len(qmon_capture.all("checkin"))

    def test_let_hostile_errors_pass(self, qmon_capture):
        with pytest.raises(HostileError), qmon.monitor("job"):
            raise HostileError
        assert "HostileError" == qmon_capture.all("checkin")[1].attributes["error.type"]

    def test_work_where_nobody_should_use_them(self, ended):
        done = ended(f"""{BEGIN}
import atexit, signal, os
class Job:
    def __del__(self):
        with qmon.monitor("del"):
            pass
Job()
signal.signal(signal.SIGUSR1, lambda *_: qmon.heartbeat("signal"))
os.kill(os.getpid(), signal.SIGUSR1)
atexit.register(qmon.heartbeat, "exit")
""")
        names = {checkin.monitor for checkin in done.all("checkin")}
        assert ({"del", "signal", "exit"}, "") == (names, done.err)


class TestTheEnd:
    def test_of_the_program_loses_no_line_that_is_written_there(self, ended):
        done = ended(f"""{BEGIN}
import atexit, logging
logging.basicConfig(level="INFO", filename="/dev/null")
atexit.register(logging.info, "at exit")
logging.info("before")
""")
        assert ["before", "at exit"] == [line.body for line in done.all("log")]

    def test_of_the_interpreter_is_silent(self, ended):
        done = ended(f"""{BEGIN}
import logging, warnings, sys
logging.basicConfig(level="INFO", filename="/dev/null")
class Late:
    def __del__(self):
        logging.getLogger().info("late")
        warnings.warn("late")
        qmon.heartbeat("late")
        qmon.capture_exception(ValueError("late"))
        raise ValueError("late")
late = Late()
late.itself = late
""")
        assert 0 == done.code
        assert "qmon_sdk" not in done.err

    @pytest.mark.parametrize("times", [1, 50])
    def test_of_the_client_takes_every_hook_along(self, ended, times):
        done = ended(f"""
import logging, sys, threading, warnings
import qmon_sdk as qmon
def hooks():
    return (sys.excepthook, sys.unraisablehook, threading.excepthook,
            logging.Logger.callHandlers, warnings._showwarnmsg)
before = hooks()
for _ in range({times}):
    qmon.init(integrations="auto")
    assert hooks() != before
    qmon.shutdown(timeout=0)
assert hooks() == before
""")
        assert (0, "") == (done.code, done.err)

    def test_of_one_hook_is_no_other_ones_matter(self, ended):
        done = ended("""
import sys
class Broken:
    def __call__(self, *_):
        raise RuntimeError("a broken hook of somebody else")
sys.excepthook = Broken()
import qmon_sdk as qmon
qmon.init()
1 / 0
""")
        assert ["ZeroDivisionError"] == [error.type for error in done.all("error")]
        assert "a broken hook of somebody else" in done.err


class TestRaising:
    def test_a_hostile_error_is_told_all_the_same(self, ended):
        done = ended(f"""{BEGIN}
class Hostile(Exception):
    def __str__(self):
        raise RuntimeError
    __repr__ = __getattr__ = __eq__ = __str__
raise Hostile
""")
        assert ["Hostile"] == [error.type for error in done.all("error")]

    def test_so_is_one_from_deep_down(self, ended):
        done = ended(f"{BEGIN}def down(): down()\ndown()\n")
        assert ["RecursionError"] == [error.type for error in done.all("error")]

    def test_so_are_a_hundred_at_once(self, ended):
        done = ended(f"""{BEGIN}
import threading
threads = [threading.Thread(target=lambda: 1 / 0) for _ in range(100)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
""")
        assert 100 == len(done.all("error"))
