"""Hooks of the application: they may change, drop and fail, and whatever they do is counted."""

from __future__ import annotations

import pytest

import qmon_sdk as qmon
from qmon_sdk.testing import capture


def fail(_):
    raise RuntimeError("a hook that fails")


def say_all():
    """Tell one signal of every kind."""
    qmon.capture_exception(ValueError("x"))
    qmon.track("bought")
    with qmon.session(user="ann"), qmon.span("work"):
        pass
    qmon.log.info("line")
    qmon.count("calls")


HOOKS = {
    "before_send": ("error", "event", "session"),
    "before_send_span": ("span",),
    "before_send_log": ("log",),
    "before_send_metric": ("point",),
}


@pytest.mark.parametrize("hook", HOOKS)
class TestAHook:
    def test_that_answers_nothing_drops(self, hook):
        with capture(**{hook: lambda _: None}) as told:
            say_all()
            assert [told.all(kind) for kind in HOOKS[hook]] == [[] for _ in HOOKS[hook]]
            assert {f"{kind}/before_send": 1 for kind in HOOKS[hook]} == qmon.stats().dropped

    def test_that_fails_drops_without_a_word(self, hook):
        with capture(**{hook: fail}) as told:
            say_all()
            assert [told.all(kind) for kind in HOOKS[hook]] == [[] for _ in HOOKS[hook]]
            assert {f"{kind}/before_send_failed": 1 for kind in HOOKS[hook]} == qmon.stats().dropped
            assert list(qmon.stats().trouble) == ["before_send: RuntimeError"]

    @pytest.mark.parametrize("answer", [3, "x", (), {}])
    def test_that_answers_nonsense_drops(self, hook, answer):
        with capture(**{hook: lambda _: answer}) as told:
            say_all()
            assert [told.all(kind) for kind in HOOKS[hook]] == [[] for _ in HOOKS[hook]]

    def test_that_spoils_a_field_drops_that_signal_only(self, hook):
        def spoil(signal):
            return signal.replace(attributes={"a": 3, **signal.attributes})

        with capture(**{hook: spoil}):
            say_all()
            qmon.flush()
            assert {f"{kind}/before_send_failed": 1 for kind in HOOKS[hook]} == qmon.stats().dropped

    def test_that_changes_is_heard(self, hook):
        with capture(**{hook: lambda it: it.replace(attributes={"a": "b"})}) as told:
            say_all()
            assert {"b"} == {it.attributes["a"] for kind in HOOKS[hook] for it in told.all(kind)}
