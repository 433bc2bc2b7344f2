"""Every question passes the guard, and the store answers it: also where it has nothing."""

import time

import pytest

from qmon_agent.store.telemetry.asked import ask_for
from qmon_agent.store.telemetry.questions import QUESTIONS
from qmon_sdk.protocol.signals import Span

SAID = {
    "metric_series": {"metric": "m"},
    "trace": {"trace_id": "0123456789abcdef0123456789abcdef"},
}


@pytest.mark.parametrize("name", sorted(QUESTIONS.names()))
def test_is_answered(bench, name):
    bench.store(Span(time=time.time_ns(), name="/", kind="server", duration_ns=5))
    asked = ask_for(name, SAID.get(name, {}), now=time.time_ns(), dialect="clickhouse")

    assert bench.ask(asked.statement).columns
