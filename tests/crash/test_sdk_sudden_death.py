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


def die_of(end: str, programs) -> None:
    """Report one of each and die of it, so many times, a few programs at once."""
    for _ in range(TIMES):
        dying = [programs(program(report, end)) for report in REPORTS]
        for one in dying:
            one.finish(expect=ENDS[end][1])


def by_program(row) -> bool:
    """Whether the program said it: what the agent says of its death comes besides."""
    return "death.cause" not in row.attributes and row.attributes.get("mode") != "process"


def reported(agent) -> dict[str, tuple[int, int]]:
    """How many of each the agent has, and how many different ones."""
    kept = {report: agent.wait_for(report, TIMES, by_program) for report in REPORTS}
    return {
        report: (len(rows), len({getattr(row, f"{report}_id") for row in rows}))
        for report, rows in kept.items()
    }


@pytest.mark.parametrize("end", ENDS)
class TestSuddenDeath:
    def test_costs_nothing_that_was_reported_to_an_agent(self, *, end, agent, programs, measured):
        die_of(end, programs)

        stored = reported(agent)
        measured(reported_each=TIMES, **stored)
        assert dict.fromkeys(REPORTS, (TIMES, TIMES)) == stored

    def test_costs_nothing_that_was_reported_to_nobody(
        self, *, end, absent_agent, programs, measured
    ):
        die_of(end, programs)
        absent_agent.start()

        stored = reported(absent_agent)
        measured(reported_each=TIMES, **stored)
        assert dict.fromkeys(REPORTS, (TIMES, TIMES)) == stored
