"""Work given to other threads: it stays inside of the span it was given away in."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import pytest

from qmon_sdk.capture import capture_exception
from qmon_sdk.context import SCOPE, new_scope, set_user
from qmon_sdk.decorators import instrument
from qmon_sdk.spans import current_span, span
from qmon_sdk.start import shutdown


@instrument
def work(fail=False):
    if fail:
        raise LookupError("nothing there")
    return SCOPE.get().user_id


@pytest.fixture
def watching(told):
    return told.begin(integrations=("threads", "concurrent_futures"))


def work_of(told):
    """The spans of `work`, in the order of their beginnings."""
    return [made for made in told.spans if made.name.endswith("work")]


def run_in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


class TestThreads:
    def test_work_inside_of_the_span_they_are_started_in(self, watching):
        with span("outer"):
            run_in_a_thread(work)

        assert watching.span("outer").span_id == work_of(watching)[0].parent_id
        assert 1 == len({made.trace_id for made in watching.spans})

    def test_work_for_the_same_user(self, watching):
        with new_scope(user={"id": "ada"}, tags={"plan": "pro"}):
            run_in_a_thread(lambda: capture_exception(LookupError("x")))

        (error,) = watching.all("error")
        assert ("ada", "pro") == (error.user_id, error.attributes["tag.plan"])

    def test_are_where_their_starter_was_when_it_started_them(self, watching):
        begin = threading.Event()
        with span("outer"):
            thread = threading.Thread(target=lambda: begin.wait(5) and work())
            thread.start()
        with span("later"):
            begin.set()
            thread.join()

        assert watching.span("outer").span_id == work_of(watching)[0].parent_id

    def test_that_nobody_started_in_a_span_are_on_their_own(self, watching):
        run_in_a_thread(work)

        assert "" == watching.spans[0].parent_id

    def test_of_subclasses_follow_too(self, watching):
        class Mine(threading.Thread):
            def run(self):
                work()

        with span("outer"):
            thread = Mine()
            thread.start()
            thread.join()

        assert watching.span("outer").span_id == work_of(watching)[0].parent_id
        assert not [name for name in vars(thread) if "qmon" in name]

    def test_see_no_context_variable_of_others(self, watching):
        variable = contextvars.ContextVar("variable", default="none")
        variable.set("some")
        seen = []
        with span("outer"):
            run_in_a_thread(lambda: seen.append(variable.get()))

        assert ["none"] == seen

    def test_cannot_be_started_twice_as_ever(self, watching):
        with span("outer"):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            with pytest.raises(RuntimeError):
                thread.start()


class TestPools:
    def test_work_inside_of_the_span_of_each_submission(self, watching):
        with ThreadPoolExecutor(1) as pool:
            for name in ("first", "second"):
                with span(name), new_scope(user={"id": name}):
                    assert name == pool.submit(work).result()
            assert "" == pool.submit(work).result()

        parents = [watching.span("first").span_id, watching.span("second").span_id, ""]
        assert parents == [made.parent_id for made in work_of(watching)]

    def test_map_follows_too(self, watching):
        with ThreadPoolExecutor(2) as pool, span("outer"):
            list(pool.map(lambda _: work(), range(3)))

        assert {watching.span("outer").span_id} == {made.parent_id for made in work_of(watching)}

    def test_keep_the_tracebacks_of_errors(self, watching):
        with ThreadPoolExecutor(1) as pool, span("outer"):
            error = pool.submit(int, "x").exception()

        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert ["run"] == names

    def test_of_multiprocessing_do_not_stay_with_who_was_first(self, watching):
        with span("outer"):
            pool = ThreadPool(1)
        with pool:
            pool.apply(work)

        assert "" == work_of(watching)[0].parent_id

    async def test_of_a_loop_follow(self, watching):
        with span("outer"):
            await asyncio.get_running_loop().run_in_executor(None, work)

        assert watching.span("outer").span_id == work_of(watching)[0].parent_id

    def test_say_which_span_they_are_in(self, watching):
        with ThreadPoolExecutor(1) as pool, span("outer") as outer:
            inside = pool.submit(lambda: current_span().span_id).result()

        assert outer.span_id == inside

    def test_go_on_when_the_sdk_stops(self, watching):
        with ThreadPoolExecutor(1) as pool, span("outer"):
            begin = threading.Event()
            future = pool.submit(lambda: begin.wait(5) and work())
            shutdown(timeout=0)
            begin.set()
            assert "" == future.result()


class TestUsers:
    def test_that_are_set_in_a_job_stay_there(self, watching):
        with ThreadPoolExecutor(1) as pool, span("outer"):
            pool.submit(set_user, {"id": "job"}).result()
            assert "" == pool.submit(work).result()
