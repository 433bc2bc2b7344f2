"""asyncio: what a loop is told of is an error, on loops of any make and whoever handles it."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
import uvloop

import qmon_sdk as qmon
from qmon_sdk.client import current
from qmon_sdk.testing import capture

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def failing():
    raise ValueError("nobody asked")


async def forgetting():
    """Start a task that fails and is never asked."""
    task = asyncio.create_task(failing(), name="forgotten")
    await asyncio.sleep(0.01)
    del task
    gc.collect()


@pytest.fixture(params=LOOPS)
def old_loop(request):
    """A loop that was there before qmon was."""
    loop = LOOPS[request.param]()
    yield loop
    loop.close()


@pytest.fixture(params=LOOPS)
def new_loop(request, hooked):
    loop = LOOPS[request.param]()
    yield loop
    loop.close()


@pytest.fixture
def hooked():
    with capture(integrations=("asyncio_errors", "logging")) as told:
        yield told


class TestLoops:
    def test_made_before_are_watched(self, old_loop, hooked):
        old_loop.run_until_complete(forgetting())
        assert ["nobody asked"] == [error.message for error in hooked.errors]

    def test_tell_of_tasks_that_nobody_asked(self, new_loop, hooked):
        new_loop.run_until_complete(forgetting())
        (error,) = hooked.errors
        assert ("error", False) == (error.level, error.handled)
        assert error.attributes["asyncio.message"] == "Task exception was never retrieved"
        assert error.attributes["asyncio.task.name"] == "forgotten"
        assert error.attributes["asyncio.coroutine.name"] == "failing"

    def test_tell_of_callbacks(self, new_loop, hooked):
        new_loop.call_soon(int, "three")
        new_loop.run_until_complete(asyncio.sleep(0.01))
        assert ["ValueError"] == [error.type for error in hooked.errors]

    def test_write_a_line_of_it_that_is_no_second_error(self, new_loop, hooked):
        new_loop.run_until_complete(forgetting())
        (line,), (error,) = hooked.logs, hooked.errors
        assert ("asyncio", error.error_id) == (line.logger, line.attributes["error_id"])

    def test_still_ask_the_applications_own_handler(self, new_loop, hooked):
        seen = []
        new_loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
        new_loop.run_until_complete(forgetting())
        assert ["Task exception was never retrieved"] == seen
        assert 1 == len(hooked.errors)

    def test_take_what_was_cancelled_for_no_error(self, new_loop, hooked):
        current().integrations["logging"].remove()
        new_loop.call_exception_handler({"message": "x", "exception": asyncio.CancelledError()})
        new_loop.call_exception_handler({"message": "without any exception"})
        assert [] == hooked.errors

    def test_are_left_alone_afterwards(self, old_loop):
        with capture(integrations=("asyncio_errors",)):
            pass
        assert asyncio.BaseEventLoop.call_exception_handler.__module__ == "asyncio.base_events"
        assert "call_exception_handler" not in vars(uvloop.Loop)


class TestErrors:
    @pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks do not tell their context")
    def test_know_the_trace_and_the_user_of_their_task(self, new_loop, hooked):
        async def main():
            with qmon.new_scope(user={"id": "ann"}), qmon.span("request") as span:
                task = asyncio.create_task(failing())
            await asyncio.sleep(0.01)
            del task
            gc.collect()
            return span.trace_id

        trace_id = new_loop.run_until_complete(main())
        (error,) = hooked.errors
        assert ("ann", trace_id) == (error.user_id, error.trace_id)

    def test_that_are_raised_out_of_the_program_are_one(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init()
            import asyncio
            async def main():
                await asyncio.gather(work(), work())
            async def work():
                raise ValueError("out")
            asyncio.run(main())
        """)
        assert ["fatal"] == [error.level for error in done.all("error")]

    def test_need_no_loop_at_the_start(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init()
            import asyncio
            async def main():
                task = asyncio.create_task(work())
                await asyncio.sleep(0.01)
                del task
            async def work():
                raise ValueError("inside")
            asyncio.run(main())
        """)
        assert ["inside"] == [error.message for error in done.all("error")]
