"""`@instrument`: the program behaves as if it were not there, and every call is told."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import pickle

import pytest

from qmon_sdk.client import current
from qmon_sdk.decorators import instrument
from qmon_sdk.spans import current_span, span
from qmon_sdk.start import shutdown


@instrument
def at_the_top(a, b=2, /, c=3, *rest, d, e=5, **more):
    """Say what came."""
    return a, b, c, rest, d, e, more


class TestAFunction:
    def test_keeps_its_signature_name_and_documentation(self):
        bare = at_the_top.__wrapped__

        assert inspect.signature(bare) == inspect.signature(at_the_top)
        assert (bare.__name__, bare.__doc__) == (at_the_top.__name__, at_the_top.__doc__)

    def test_takes_its_arguments_in_every_way_python_has(self, told):
        assert (1, 2, 3, (), 4, 5, {}) == at_the_top(1, d=4)
        assert (1, 9, 8, (7, 6), 4, 0, {"f": 1}) == at_the_top(1, 9, 8, 7, 6, d=4, e=0, f=1)

    def test_is_told_with_its_place_and_duration(self, told):
        at_the_top(1, d=4)

        told_of = told.span("at_the_top")
        assert told_of.attributes["code.function.name"].endswith(".at_the_top")
        assert (told_of.kind, told_of.status, told_of.parent_id) == ("internal", "unset", "")
        assert told_of.duration_ns > 0

    def test_raises_what_it_raises_and_is_told_as_failed(self, told):
        @instrument(name="pay")
        def pay():
            raise KeyError("card")

        with pytest.raises(KeyError, match="card"):
            pay()

        assert told.span("pay").status == "error"
        assert told.span("pay").attributes["error.type"] == "KeyError"

    def test_can_be_pickled(self):
        assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top

    def test_is_left_alone_before_init_and_after_shutdown(self, told):
        shutdown()

        assert (1, 2, 3, (), 4, 5, {}) == at_the_top(1, d=4)
        assert told.begin().spans == []

    def test_is_told_again_when_a_client_is_started_again(self, told):
        at_the_top(1, d=4)
        told.begin()

        at_the_top(1, d=4)

        assert len(told.spans) == 2

    def test_keeps_the_arguments_and_the_result_it_is_asked_to_keep(self, told):
        @instrument(record_args=["order"], record_return=True)
        def pay(order, card):
            return len(card)

        pay("o-1", card="4242")

        kept = told.spans[0].attributes
        assert (kept["order"], kept["return"]) == ("o-1", "4")
        assert "card" not in kept

    def test_hides_what_is_secret_in_what_it_keeps(self, told):
        @instrument(record_args=True)
        def sign_in(user, password):
            return user

        sign_in("ada", "hunter2")

        assert told.spans[0].attributes["user"] == "ada"
        assert "hunter2" not in told.spans[0].attributes["password"]

    def test_folds_its_durations_when_asked_to(self, told):
        @instrument(name="pay", metrics=True)
        def pay():
            return 1

        pay(), pay()

        told.spans  # noqa: B018 - flushes the spans, whose durations the next flush sends
        points = told.all("point")
        assert [("pay.duration", 2)] == [(point.metric, point.count) for point in points]

    def test_may_be_given_its_name_alone(self, told):
        @instrument("charge card")
        def charge():
            return 1

        assert charge() == 1
        assert ["charge card"] == [one.name for one in told.spans]

    def test_refuses_an_option_it_does_not_have(self):
        with pytest.raises(TypeError, match="record_arg'"):
            instrument(record_arg=True)


class TestOtherCallables:
    def test_methods_of_a_class_are_told_by_their_names(self, told):
        @instrument
        class Till:
            def open(self):
                return self._secret()

            @staticmethod
            def count():
                return 2

            @classmethod
            def make(cls):
                return cls()

            def _secret(self):
                return 1

        assert (1, 2) == (Till.make().open(), Till.count())
        names = [one.name.rsplit(".", 2)[-2:] for one in told.spans]
        assert names == [["Till", "make"], ["Till", "open"], ["Till", "count"]]

    def test_partials_and_built_ins_work(self, told):
        assert instrument(functools.partial(int, base=2))("101") == 5
        assert instrument(len)("abc") == 3
        assert len(told.spans) == 2


class Shelf:
    """Properties with a decorator above them, made before anybody records."""

    def __init__(self):
        self._size = 0

    @instrument
    @property
    def size(self):
        """How much there is."""
        return self._size

    @instrument
    @size.setter
    def size(self, size):
        self._size = size

    @instrument
    @functools.cached_property
    def depth(self):
        """How deep it is."""
        return [self._size]


class TestAProperty:
    def test_is_one_still_and_its_functions_are_told(self, told):
        shelf = Shelf()
        shelf.size = 3

        assert (3, "How much there is.") == (shelf.size, Shelf.size.__doc__)
        names = {span.name for span in told.spans}
        assert {"Shelf.size", "Shelf.size.set"} == names

    def test_that_is_cached_is_computed_and_told_once(self, told):
        shelf = Shelf()

        assert ([0], "How deep it is.") == (shelf.depth, Shelf.depth.__doc__)
        assert shelf.depth is shelf.depth
        assert "Shelf.depth" == told.span("Shelf.depth").name

    def test_works_while_nobody_records(self):
        shelf = Shelf()
        shelf.size = 4

        assert (4, [4]) == (shelf.size, shelf.depth)

    def test_has_only_what_it_had_before(self):
        bare = instrument(property(None, doc="nothing"))

        assert (None, None, None, "nothing") == (bare.fget, bare.fset, bare.fdel, bare.__doc__)


class TestWhatCannotBeCalled:
    @pytest.mark.parametrize(
        "thing", [5, None, functools.partialmethod(print), type("Own", (property,), {})()]
    )
    def test_is_returned_as_it_is_and_counted(self, told, thing):
        assert thing is instrument(name="thing")(thing)

        assert {"instrument: TypeError": 1} == current().trouble


class TestAGenerator:
    def test_is_one_span_from_its_first_step_to_its_last(self, told):
        @instrument(name="numbers")
        def numbers():
            got = yield 1
            at_the_top(got, d=0)
            return 7

        def outer():
            return (yield from numbers())

        running = outer()
        assert next(running) == 1
        with pytest.raises(StopIteration) as stop:
            running.send(5)

        assert stop.value.value == 7
        assert told.span("at_the_top").parent_id == told.span("numbers").span_id

    def test_is_not_the_current_span_between_its_steps(self, told):
        @instrument(name="numbers")
        def numbers():
            yield from range(3)

        for number in numbers():
            at_the_top(number, d=0)

        assert {one.parent_id for one in told.spans if one.name == "at_the_top"} == {""}

    def test_lets_throw_and_close_through(self, told):
        seen = []

        @instrument
        def careful():
            try:
                yield 1
            except KeyError:
                yield 2
            finally:
                seen.append("closed")

        running = careful()
        next(running)

        assert running.throw(KeyError("x")) == 2
        running.close()
        assert seen == ["closed"]
        assert told.spans[0].status == "unset"

    def test_is_recognised_by_inspect(self):
        @instrument
        def numbers():
            yield 1

        @instrument
        async def later():
            yield 1

        assert inspect.isgeneratorfunction(numbers)
        assert inspect.isasyncgenfunction(later)


class TestACoroutine:
    def test_is_told_and_is_the_parent_of_what_it_awaits(self, told):
        @instrument(name="inner")
        async def inner():
            await asyncio.sleep(0)
            return 3

        @instrument(name="outer")
        async def outer():
            return sum(await asyncio.gather(inner(), inner()))

        assert asyncio.run(outer()) == 6
        outside = told.span("outer")
        inside = [one for one in told.spans if one.name == "inner"]
        assert {one.parent_id for one in inside} == {outside.span_id}
        assert {one.trace_id for one in told.spans} == {outside.trace_id}

    def test_that_is_cancelled_is_no_error(self, told):
        @instrument(name="slow")
        async def slow():
            await asyncio.sleep(60)

        async def main():
            task = asyncio.create_task(slow())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())

        assert told.span("slow").status == "unset"
        assert told.span("slow").attributes["error.type"] == "CancelledError"

    def test_in_a_worker_thread_goes_on_with_its_trace(self, told):
        async def main():
            with span("request"):
                await asyncio.gather(*(asyncio.to_thread(at_the_top, n, d=0) for n in range(5)))

        asyncio.run(main())

        request = told.span("request")
        calls = [one for one in told.spans if one.name == "at_the_top"]
        assert {(one.parent_id, one.trace_id) for one in calls} == {
            (request.span_id, request.trace_id)
        }

    def test_generator_passes_values_both_ways(self, told):
        @instrument(name="echo")
        async def echo():
            got = 0
            while got is not None:
                got = yield got

        async def main():
            running = echo()
            values = [await running.asend(None), await running.asend(5)]
            await running.aclose()
            return values

        assert asyncio.run(main()) == [0, 5]
        assert told.span("echo").status == "unset"


class TestASpan:
    def test_says_what_it_is_told(self, told):
        with span("charge {provider}", kind="client", provider="acme") as open_span:
            open_span.set_attribute("amount", 12)
            current_span().set_attributes({"currency": "EUR"})
            open_span.update_name("charge")
            open_span.set_status("error", "declined")

        charge = told.span("charge")
        assert (charge.kind, charge.status, charge.span_id) == (
            "client",
            "error",
            open_span.span_id,
        )
        assert charge.attributes["provider"] == "acme"
        assert charge.attributes["amount"] == "12"
        assert charge.attributes["currency"] == "EUR"

    def test_may_be_enriched_from_inside_an_instrumented_function(self, told):
        @instrument(name="pay")
        def pay():
            current_span().set_attribute("plan", "pro")
            at_the_top(1, d=0)

        pay()

        assert told.span("pay").attributes["plan"] == "pro"
        assert told.span("at_the_top").parent_id == told.span("pay").span_id

    def test_decorates_sync_and_async_functions(self, told):
        @span("double", unit="cm")
        def double(n):
            return 2 * n

        @span("later")
        async def later():
            return 1

        assert (4, 1) == (double(2), asyncio.run(later()))
        assert told.span("double").attributes["unit"] == "cm"

    def test_outside_of_any_keeps_nothing_and_never_raises(self, told):
        current_span().set_attribute("a", 1)

        assert not current_span().is_recording()
        assert current_span().trace_id == ""

    def test_closed_in_another_context_leaves_that_one_alone(self, told):
        async def halves():
            with span("held"):
                yield 1

        async def main():
            running = halves()
            await asyncio.create_task(anext(running))
            with span("mine") as mine:
                await running.aclose()
                assert current_span().span_id == mine.span_id

        asyncio.run(main())

        assert told.span("mine").parent_id == ""


def in_a_block(end):
    with span("work"):
        raise end


@instrument(name="work")
def in_a_call(end):
    raise end


@instrument(name="work", record_args=["number"])
def in_a_call_that_is_kept(end, number=1):
    raise end


@instrument(name="work")
async def waiting(end):
    raise end


def in_a_coroutine(end):
    with contextlib.suppress(StopIteration):
        waiting(end).send(None)


@instrument(name="work")
def steps(end):
    yield 1
    raise end


def in_a_generator(end):
    list(steps(end))


WAYS = (in_a_block, in_a_call, in_a_call_that_is_kept, in_a_coroutine, in_a_generator)


@pytest.mark.parametrize("way", WAYS)
class TestASpanThatIsLeft:
    @pytest.mark.parametrize(
        "end",
        [
            SystemExit(),
            SystemExit(0),
            asyncio.CancelledError(),
            GeneratorExit(),
            KeyboardInterrupt(),
        ],
    )
    def test_by_what_only_ends_the_work_has_not_failed(self, told, way, end):
        with pytest.raises(type(end)):
            way(end)

        assert "unset" == told.span("work").status

    @pytest.mark.parametrize("end", [SystemExit(3), SystemExit("no"), SystemExit([0]), OSError()])
    def test_by_an_error_has_failed(self, told, way, end):
        with pytest.raises(type(end)):
            way(end)

        told_of = told.span("work")
        assert ("error", type(end).__name__) == (told_of.status, told_of.attributes["error.type"])


class TestAGeneratorWithASpanInIt:
    def test_has_not_failed_when_nobody_reads_on(self, told):
        def steps():
            with span("work"):
                yield 1

        running = steps()
        next(running)
        running.close()

        work = told.span("work")
        assert ("unset", False) == (work.status, "error.type" in work.attributes)


class TestSampling:
    def test_keeps_whole_traces_and_counts_the_rest(self, told):
        told.begin(traces_sample_rate=0.5)

        for n in range(400):
            with span("root"):
                at_the_top(n, d=0)

        spans = told.spans
        roots = {one.trace_id for one in spans if one.name == "root"}
        assert roots == {one.trace_id for one in spans if one.name == "at_the_top"}
        assert 100 < len(roots) < 300
        assert len(spans) == 2 * len(roots)

    def test_of_one_function_counts_what_it_leaves_out(self, told):
        @instrument(sample_rate=0.25)
        def often():
            return 1

        for _ in range(400):
            often()

        kept = len(told.spans)
        ledger = [frame.ledger for frame in told.frames if frame.ledger][-1]
        assert 50 < kept < 200
        assert ledger.captured["span"] == kept + ledger.dropped["span/sample_rate"] == 400

    def test_by_a_function_of_ours_sees_the_name(self, told):
        told.begin(traces_sampler=lambda root: float(root["name"] != "noise"))

        with span("noise"):
            pass
        with span("signal"):
            pass

        assert ["signal"] == [one.name for one in told.spans]
