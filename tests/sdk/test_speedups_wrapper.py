"""An instrumented function is taken for the function it is of, by whoever looks, on both paths."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import pickle
import signal
import sys
import threading
import types
import weakref

import pytest

import qmon_sdk as qmon


@qmon.instrument
def plain(a, /, b: int = 2, *rest, c=3, **named):
    """Say what was given."""
    return a, b, rest, c, named


@qmon.instrument
async def waiting(value):
    await asyncio.sleep(0)
    return value


def number(value=1):
    return value


class TestWrapper:
    def test_is_a_function_to_inspect(self):
        assert inspect.isfunction(plain)
        assert inspect.isroutine(plain)
        assert isinstance(plain, types.FunctionType)
        assert callable(plain)
        assert "(a, /, b: 'int' = 2, *rest, c=3, **named)" == str(inspect.signature(plain))
        assert not inspect.iscoroutinefunction(plain)

    def test_has_what_a_function_has(self):
        assert ("plain", "plain", __name__) == (
            plain.__name__,
            plain.__qualname__,
            plain.__module__,
        )
        assert "Say what was given." == inspect.getdoc(plain)
        assert {"b": "int"} == plain.__annotations__
        assert ((2,), {"c": 3}) == (plain.__defaults__, plain.__kwdefaults__)
        assert isinstance(plain.__code__, types.CodeType)
        assert isinstance(plain.__globals__, dict)
        assert repr(plain).startswith("<function plain at 0x")

    def test_is_found_again_by_pickle_and_copy(self):
        assert plain is pickle.loads(pickle.dumps(plain))
        assert plain is copy.copy(plain)
        assert plain is copy.deepcopy(plain)
        assert waiting is pickle.loads(pickle.dumps(waiting))

    def test_takes_attributes_weak_references_and_other_defaults(self):
        wrapped = qmon.instrument(lambda value=1: value)
        wrapped.methods = ["GET"]
        wrapped.__defaults__ = (7,)

        assert ["GET"] == wrapped.methods
        assert wrapped is weakref.ref(wrapped)()
        assert 7 == wrapped()
        assert {wrapped: 1}[wrapped]

    def test_works_under_other_decorators(self):
        @functools.wraps(plain)
        def outer(*args, **named):
            return plain(*args, **named)

        assert "Say what was given." == outer.__doc__
        assert plain(1) == outer(1) == functools.partial(plain)(1) == (1, 2, (), 3, {})
        assert 3 == functools.lru_cache(qmon.instrument(number))(3)

    @pytest.mark.parametrize("call", [((), {}), ((1,), {"a": 1, "b": 2, "d": 4})])
    def test_refuses_what_the_function_refuses(self, told, call):
        args, named = call
        if named:
            assert (1, 2, (), 3, {"a": 1, "d": 4}) == plain(*args, **named)
        else:
            with pytest.raises(TypeError, match="missing 1 required positional"):
                plain(*args, **named)

    def test_goes_when_nobody_holds_it(self, told):
        def made():
            def recursive(n):
                return wrapped(n - 1) if n else 0

            wrapped = qmon.instrument(recursive)
            wrapped(3)
            return weakref.ref(recursive)

        gone = made()
        gc.collect()

        assert gone() is None

    def test_recurses_as_deep_as_the_function(self, told):
        @qmon.instrument
        def down(n):
            return down(n - 1) if n else "bottom"

        assert "bottom" == down(sys.getrecursionlimit() // 4)

    def test_leaves_the_error_and_its_traceback(self, told):
        @qmon.instrument
        def fails():
            raise KeyError("here") from ValueError("before")

        with pytest.raises(KeyError, match="here") as caught:
            fails()
        assert isinstance(caught.value.__cause__, ValueError)
        assert "fails" == caught.traceback[-1].name


REGISTRY = []


class Shop:
    @qmon.instrument
    def __new__(cls, *args):
        return super().__new__(cls)

    @qmon.instrument
    def __init_subclass__(cls):
        REGISTRY.append(cls.__name__)

    @qmon.instrument
    def __class_getitem__(cls, item):
        return item

    @qmon.instrument
    def method(self, value):
        return type(self).__name__, value

    @staticmethod
    @qmon.instrument
    def static(value):
        return value

    @classmethod
    @qmon.instrument
    def made(cls, value):
        return cls.__name__, value

    @property
    @qmon.instrument
    def total(self):
        return 12

    half = functools.partialmethod(method, 0.5)


class Kiosk(Shop):
    @qmon.instrument
    def method(self, value):
        return super().method(value)


class TestMethods:
    def test_are_bound_in_every_way(self, told):
        kiosk = Kiosk()

        assert ("Kiosk", 1) == kiosk.method(1) == Kiosk.method(kiosk, 1) == Kiosk.made(1)
        assert (2, 12) == (kiosk.static(2), kiosk.total)
        assert ("Kiosk", 0.5) == kiosk.half()
        assert inspect.ismethod(kiosk.method)
        assert kiosk is kiosk.method.__self__

    def test_that_classes_treat_apart_are_treated_so(self, told):
        assert "Kiosk" in REGISTRY
        assert 3 == Shop[3]
        assert isinstance(Kiosk(1, 2), Kiosk)


class TestCoroutineFunction:
    async def test_is_one_to_whoever_asks(self, told):
        assert inspect.iscoroutinefunction(waiting)
        assert inspect.iscoroutine(coroutine := waiting(3))
        assert 3 == await coroutine
        assert [1, 2] == await asyncio.gather(waiting(1), waiting(2))

    async def test_that_is_thrown_away_while_it_waits_is_no_open_span(self, told):
        @qmon.instrument
        async def endless():
            await asyncio.get_running_loop().create_future()

        coroutine = endless()
        coroutine.send(None)
        coroutine.close()

        assert "" == qmon.current_span().span_id
        assert "endless" in [span.name.rpartition(".")[2] for span in told.spans]


class TestSpans:
    def test_of_many_threads_are_all_told(self, told):
        wrapped = qmon.instrument(number)
        threads = [
            threading.Thread(target=lambda: [wrapped() for _ in range(3000)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spans = told.spans

        assert 12_000 == len({span.span_id for span in spans})
        assert not [span for span in spans if span.parent_id]

    def test_of_a_signals_handler_are_children_of_what_it_interrupts(self, told):
        handled = qmon.instrument(number)

        @qmon.instrument(name="interrupted")
        def interrupted():
            signal.raise_signal(signal.SIGUSR1)
            return "done"

        before = signal.signal(signal.SIGUSR1, lambda *_: handled())
        try:
            assert "done" == interrupted()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert told.span("number").parent_id == told.span("interrupted").span_id

    def test_inside_of_a_finalizer_are_told(self, told):
        class Finalized:
            def __del__(self):
                qmon.instrument(number)()

        Finalized()
        gc.collect()

        assert told.span("number")

    def test_go_on_around_an_init_inside_of_them(self, told):
        @qmon.instrument(name="around")
        def around():
            told.begin()
            return qmon.instrument(number)()

        assert 1 == around()
        assert 1 == qmon.instrument(number)()
        assert told.spans


class TestVerbs:
    @pytest.mark.parametrize("verb", [qmon.count, qmon.gauge, qmon.distribution])
    def test_are_functions_to_whoever_looks(self, verb):
        assert inspect.isfunction(verb)
        assert "unit" in str(inspect.signature(verb))
        assert inspect.getdoc(verb)
        assert verb is pickle.loads(pickle.dumps(verb)) is copy.copy(verb)

    @pytest.mark.parametrize("call", [((), {}), (("a", 1, 2), {}), (("a",), {"labels": {}})])
    def test_refuse_other_calls_whether_or_not_anybody_records(self, told, call):
        args, named = call
        for _ in range(2):
            with pytest.raises(TypeError):
                qmon.count(*args, **named)
            qmon.shutdown(timeout=0)

    def test_take_a_label_that_raises_when_it_is_hashed(self, told):
        class Hostile:
            def __hash__(self):
                raise RuntimeError("its own code")

        qmon.count("a", attributes={"b": Hostile()})
        assert [1] == [point.value for point in told.all("point")]
        assert {} == qmon.stats().trouble

    def test_go_to_the_client_in_charge(self, told):
        qmon.count("a", 2)
        told.begin()
        qmon.count(name="a", value=3)

        assert [2, 3] == [point.value for point in told.all("point")]
