"""A program that dies the moment after it reported something: the report arrives all the same."""

import signal

import pytest

TIMES = 5

ENDS = {
    "kill -9": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "os._exit": ("os._exit(0)", 0),
}

REPORTS = {
    "error": """
try:
    raise ValueError("broken")
except ValueError as error:
    assert qmon.capture_exception(error)
""",
    "event": 'assert qmon.track("paid", {"amount": 12}, user_id="u1")',
    "session": """
with qmon.session(user="u1"):
    pass
""",
}


def program(report: str, end: str) -> str:
    begin = "import os, signal, qmon_sdk as qmon\nqmon.init(integrations=())\n"
    return f"{begin}{REPORTS[report]}\n{ENDS[end][0]}\n"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("report", REPORTS)
class TestSuddenDeath:
    def test_costs_nothing_that_was_reported_to_an_agent(
        self, *, report, end, agent, programs, measured
    ):
        for _ in range(TIMES):
            programs(program(report, end)).finish(expect=ENDS[end][1])

        stored = agent.wait_for(report, TIMES)
        measured(reported=TIMES, stored=len(stored))
        assert TIMES == len({getattr(one, f"{report}_id") for one in stored}) == len(stored)

    def test_costs_nothing_that_was_reported_to_nobody(
        self, *, report, end, absent_agent, programs, measured
    ):
        for _ in range(TIMES):
            programs(program(report, end)).finish(expect=ENDS[end][1])
        absent_agent.start()

        stored = absent_agent.wait_for(report, TIMES)
        measured(reported=TIMES, stored=len(stored))
        assert TIMES == len({getattr(one, f"{report}_id") for one in stored}) == len(stored)
