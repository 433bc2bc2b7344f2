"""What we give to other people's tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

import qmon_sdk as qmon
from qmon_sdk.client import current
from qmon_sdk.testing import capture


class TestCapture:
    def test_puts_the_client_back_that_was_there(self):
        with capture() as outer:
            client = current()
            with capture() as inner:
                qmon.track("inside")
                assert [event.name for event in inner.events] == ["inside"]
            assert current() is client
            qmon.track("outside")
            assert [event.name for event in outer.events] == ["outside"]

    def test_lets_time_stand_still(self):
        with capture(at=1_000_000_000) as told:
            qmon.track("a")
            told.clock.advance(2.5)
            qmon.track("b")
            assert [event.time for event in told.events] == [1_000_000_000, 3_500_000_000]

    def test_finds_a_span_by_name_or_says_which_there_are(self, qmon_capture):
        with qmon.span("pay", provider="acme"):
            pass
        assert qmon_capture.span("pay").attributes["provider"] == "acme"
        with pytest.raises(LookupError, match="there are \\['pay'\\]"):
            qmon_capture.span("refund")

    def test_forgets_when_it_is_told_to(self, qmon_capture):
        qmon.track("before")
        qmon_capture.clear()
        qmon.track("after")
        assert [event.name for event in qmon_capture.events] == ["after"]

    async def test_is_an_async_context_manager_too(self):
        async with capture() as told:
            qmon.count("paid", 2)
            assert told.total("paid") == 2

    def test_does_not_bring_pytest_into_a_program(self):
        program = "import sys, qmon_sdk.testing; assert 'pytest' not in sys.modules"
        subprocess.run([sys.executable, "-c", program], check=True)
