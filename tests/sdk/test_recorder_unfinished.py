"""Spans that are open when recording ends: each is told once, and the books add up."""

from __future__ import annotations

import threading

from qmon_sdk.context import SCOPE
from qmon_sdk.decorators import instrument
from qmon_sdk.recorder.cells import here, write_row
from qmon_sdk.recorder.sites import Site
from qmon_sdk.spans import span
from qmon_sdk.start import flush, init, shutdown, stats

SITE = Site("inner")


@instrument
def around(work):
    with span("inner", n=1):
        work()


def once(told):
    """Names of what is told as open, and of the rest."""
    spans = told.spans
    assert len({each.span_id for each in spans}) == len(spans)
    cut_off = {each.name for each in spans if "qmon.open" in each.attributes}
    return cut_off, {each.name for each in spans} - cut_off


class TestOpenSpans:
    def test_are_told_as_open_at_shutdown(self, told):
        with span("outer"):
            with span("done"):
                pass
            around(shutdown)

        assert ({"outer", "around", "inner"}, {"done"}) == once(told)
        assert {"span": 4} == stats().captured == told.frames[-1].ledger.captured

    def test_are_told_as_open_when_init_comes_again(self, told):
        with span("outer"):
            around(told.begin)
            with span("after"):
                pass

        assert ({"outer", "around", "inner"}, {"after"}) == once(told)

    def test_of_other_threads_are_told_once_whenever_they_end(self, told):
        stop, counts = threading.Event(), []

        def work():
            n = 0
            while not stop.is_set():
                with span("work"):
                    n += 1
            counts.append(n)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        told.begin()
        stop.set()
        for thread in threads:
            thread.join()
        shutdown()

        cut_off, _ = once(told)
        assert cut_off <= {"work"}

    def test_that_end_while_their_row_leaves_are_told_once(self, told):
        with span("outer"):
            inner = here().child(7)
            inner.open(SITE, here().span, 1)
            write_row(inner, (SITE, SCOPE.get(), "unset", 0, 1, 7, here().span, 1, 2, None))
            assert flush(2)  # before `inner.close()`, as another thread may
            shutdown()

        assert ({"outer"}, {"inner"}) == once(told)

    def test_are_seen_by_the_applications_hook(self, told):
        told.begin(before_send_span=lambda seen: None if seen.name == "outer" else seen)
        with span("outer"):
            around(shutdown)

        assert ({"around", "inner"}, set()) == once(told)
        assert {"span/before_send": 1} == stats().dropped


class TestStats:
    def test_are_the_last_ones_after_shutdown(self, told):
        with span("work"):
            pass
        shutdown()

        assert {"span": 1} == stats().captured == stats().acknowledged
        init(enabled=False)
        assert {"span": 1} == stats().captured

    def test_are_of_the_new_client_after_init(self, told):
        around(lambda: None)
        told.begin()

        assert {} == stats().captured


AT_EXIT = """
    import atexit, threading, time
    import qmon_sdk as qmon
    from qmon_sdk.sessions import start_session

    atexit.register(qmon.shutdown)  # runs after what `init` registers
    qmon.init(integrations=())

    def work():
        with qmon.session(user="ada"), qmon.span("daemon", n=1):
            inside.set()
            time.sleep(60)

    inside = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    inside.wait()
    start_session(user="eve")
    with qmon.span("done"):
        qmon.capture_exception(ValueError())
"""


class TestAProgramThatEnds:
    def test_tells_spans_that_are_open_once(self, ended):
        done = ended(AT_EXIT)

        spans = {each.name: each.attributes.get("qmon.open") for each in done.all("span")}
        assert ({"daemon": "true", "done": None}, "") == (spans, done.err)
        assert 2 == len(done.all("span"))

    def test_ends_the_sessions_that_are_open(self, ended):
        done = ended(AT_EXIT)

        assert {("ada", "healthy", 0), ("eve", "errored", 1)} == {
            (each.user_id, each.status, each.errors) for each in done.all("session")
        }
        assert 2 == len(done.all("session"))
