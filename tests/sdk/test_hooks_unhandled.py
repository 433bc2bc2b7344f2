"""Errors that nobody handled: kept by the hooks, whose other owners notice nothing."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from _thread import start_new_thread

import pytest

import qmon_sdk as qmon
from qmon_sdk.testing import capture

BEGIN = "import sys\nimport qmon_sdk as qmon\nqmon.init()\n"


LOGGED = """
import logging
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("no")
    raise
"""
INSIDE = """
from opentelemetry import trace
from qmon_sdk.otel import install
install()
begin = trace.get_tracer("t").start_as_current_span
with begin("root"), begin("in"):
    1 / 0
"""


def failing(message="broken"):
    raise ValueError(message)


def end_by(error):
    """Have the interpreter's hook told of an error, as if nothing had caught it."""
    try:
        raise error
    except BaseException:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())


@pytest.fixture
def hooked(capsys):
    names = ("excepthook", "thread_excepthook", "unraisablehook")
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    with capture(integrations=names) as told:
        yield told
    assert sys.__excepthook__ is sys.excepthook
    sys.excepthook, threading.excepthook, sys.unraisablehook = before


class TestExcepthook:
    def test_keeps_what_ends_a_program_and_leaves_its_traceback_alone(self, ended):
        done = ended(BEGIN + "def pay():\n    1 / 0\npay()\n")
        (error,) = done.all("error")
        assert ("ZeroDivisionError", "fatal", False) == (error.type, error.level, error.handled)
        assert error.culprit.endswith(".pay")
        assert 1 == done.code
        assert done.err.startswith("Traceback")
        assert "qmon" not in done.err

    @pytest.mark.parametrize("seen", [LOGGED, INSIDE])
    def test_lets_the_session_name_an_error_that_was_told_as_handled(self, ended, seen):
        done = ended(BEGIN + seen)
        (session,), (error,) = done.all("session"), done.all("error")
        assert ("crashed", error.error_id) == (session.status, session.attributes["error_id"])

    def test_lets_the_process_itself_be_the_session_that_crashed(self, ended):
        done = ended(BEGIN + "1 / 0\n")
        (session,), (error,) = done.all("session"), done.all("error")
        assert ("crashed", 1, {"mode": "process", "error_id": error.error_id}) == (
            session.status,
            session.errors,
            session.attributes,
        )
        assert error.session_id == session.session_id
        assert session.duration_ns > 0

    def test_lets_the_programs_own_session_have_crashed(self, ended):
        begin = "from qmon_sdk.sessions import start_session\nstart_session(user='ann')\n"
        done = ended(f"{BEGIN}{begin}1 / 0\n")
        assert [("crashed", "ann")] == [(s.status, s.user_id) for s in done.all("session")]

    def test_counts_no_session_twice(self, ended):
        done = ended(BEGIN + "with qmon.session(user='ann'):\n    1 / 0\n")
        (session,), (error,) = done.all("session"), done.all("error")
        assert ("crashed", session.session_id) == (session.status, error.session_id)

    def test_loses_nothing_to_a_thread_that_never_ends(self, ended):
        done = ended(f"""{BEGIN}
import os, threading
with qmon.span("last work"):
    pass
hang = threading.Thread(target=lambda: (threading.main_thread().join(), os._exit(3)))
hang.start()
raise ValueError("broken")
""")
        assert 3 == done.code
        assert ["last work"] == [span.name for span in done.all("span")]

    @pytest.mark.parametrize("end", ["KeyboardInterrupt()", "SystemExit(3)", "SystemExit()"])
    def test_takes_being_told_to_stop_for_no_error(self, ended, end):
        done = ended(f"{BEGIN}raise {end}\n")
        assert [] == done.all("error") + done.all("session")

    def test_makes_no_second_error_of_what_was_kept_already(self, hooked):
        error = ValueError("broken")
        qmon.capture_exception(error)
        end_by(error)
        assert 1 == len(hooked.errors)

    def test_works_on_for_hooks_that_came_before_and_after(self, ended):
        done = ended("""
            import sys
            sys.excepthook = lambda *error: print("before")
            import qmon_sdk as qmon
            qmon.init()
            ours = sys.excepthook
            sys.excepthook = lambda *error: (print("after"), ours(*error))
            1 / 0
        """)
        assert "after\nbefore\n" == done.out
        assert 1 == len(done.all("error"))

    def test_leaves_a_hook_of_somebody_else_in_its_place(self, ended):
        done = ended(f"""{BEGIN}
ours = sys.excepthook
sys.excepthook = theirs = lambda *error: ours(*error)
qmon.shutdown()
assert sys.excepthook is theirs
qmon.init()
1 / 0
""")
        assert 1 == len(done.all("error"))
        assert 1 == len(done.all("session"))

    def test_takes_a_typed_error_for_nothing_fatal(self, hooked):
        sys.ps1 = ">>> "
        try:
            end_by(ValueError("typo"))
        finally:
            del sys.ps1
        assert (["error"], []) == ([error.level for error in hooked.errors], hooked.sessions)

    def test_survives_what_is_no_exception_at_all(self, hooked, capsys):
        sys.excepthook(None, None, None)
        assert [] == hooked.errors

    def test_can_be_removed_alone(self, hooked):
        from qmon_sdk.client import current

        current().integrations["excepthook"].remove()
        assert sys.excepthook is sys.__excepthook__
        assert "removed" == qmon.stats().integrations["excepthook"]
        assert "watching" == qmon.stats().integrations["unraisablehook"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
class TestThreadExcepthook:
    def test_keeps_what_ends_a_thread(self, hooked):
        thread = threading.Thread(target=failing, name="till")
        thread.start()
        thread.join()
        (error,) = hooked.errors
        assert ("error", False, "till") == (
            error.level,
            error.handled,
            error.attributes["thread.name"],
        )

    def test_takes_a_thread_that_ends_itself_for_no_error(self, hooked):
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
        assert [] == hooked.errors

    def test_watches_threading_also_when_imported_later(self, ended):
        done = ended(f"""{BEGIN}
import threading
one = threading.Thread(target=lambda: 1 / 0)
one.start(); one.join()
""")
        assert ["ZeroDivisionError"] == [error.type for error in done.all("error")]
        assert "Exception in thread" in done.err


class Falling:
    """Fails when it goes, and takes the next one with it whenever somebody reads why."""

    left = 0

    def __del__(self):
        raise FallingError


class FallingError(Exception):
    def __str__(self):
        if Falling.left:
            Falling.left -= 1
            Falling()
        return "fallen"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestUnraisablehook:
    def test_keeps_errors_of_del(self, hooked):
        class Basket:
            def __del__(self):
                failing()

        Basket()
        gc.collect()
        (error,) = hooked.errors
        assert ("ValueError", False) == (error.type, error.handled)
        assert error.attributes["unraisable.object"].endswith("Basket.__del__")
        assert "ignored" in error.attributes["unraisable.where"]

    def test_keeps_errors_of_callbacks(self, hooked):
        class Basket:
            pass

        basket = Basket()
        reference = weakref.ref(basket, lambda _: failing("late"))
        del basket
        assert ["late"] == [error.message for error in hooked.errors]
        assert reference() is None

    def test_keeps_errors_of_bare_threads(self, hooked):
        over = threading.Event()
        before, sys.unraisablehook = sys.unraisablehook, lambda args: (before(args), over.set())
        start_new_thread(failing, ("bare",))
        over.wait(10)
        sys.unraisablehook = before
        assert ["bare"] == [error.message for error in hooked.errors]

    @pytest.mark.parametrize("length", [1, 3, 40])
    def test_keeps_what_fails_while_a_failure_is_kept(self, hooked, length):
        Falling.left = length
        Falling()
        told, stats = len(hooked.errors), qmon.stats()
        assert length + 1 == told + stats.dropped.get("error/reentrant", 0)

    def test_is_silent_while_the_interpreter_ends(self, ended):
        done = ended(f"""{BEGIN}
class Late:
    def __del__(self):
        raise ValueError("too late")
late = Late()
late.itself = late
""")
        assert 0 == done.code
        assert "qmon" not in done.err
        assert [] == done.all("error")

    def test_keeps_no_object_alive(self, hooked):
        class Basket:
            def __del__(self):
                failing()

        Basket()
        gc.collect()
        assert not [thing for thing in gc.get_objects() if type(thing) is Basket]


class TestSignalHandlers:
    def test_may_fail_in_the_middle_of_anything(self, ended):
        done = ended(f"""{BEGIN}
import signal
def handler(*_):
    try:
        raise ValueError("in handler")
    except ValueError:
        qmon.capture_exception()
        qmon.log.error("in handler")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
for number in range(2000):
    try:
        raise KeyError(number)
    except KeyError:
        qmon.capture_exception()
signal.setitimer(signal.ITIMER_REAL, 0)
""")
        assert (0, "") == (done.code, done.err)
        assert 2000 == sum(error.type == "KeyError" for error in done.all("error"))
