"""The agent is absent, leaves and returns, or hangs: no program notices, nothing is lost."""

import signal
import statistics
import time

import pytest
from yardstick import slowness, yardstick

BUDGET = 2 << 20
SPANS = 200

BEGIN = f"""
import json, os, resource, signal, sys, threading, time
import qmon_sdk as qmon
qmon.init(integrations=(), max_buffer_bytes={BUDGET})

@qmon.instrument
def work(n):
    return n

def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()

def timed(call, *arguments, **named):
    begun = time.perf_counter_ns()
    call(*arguments, **named)
    return time.perf_counter_ns() - begun
"""

ONE_OF_EACH = (
    BEGIN
    + f"""
for n in range({SPANS}):
    work(n)
qmon.track("paid", user_id="u1")
qmon.count("orders", 2)
"""
)

# Says when its last statement was, so that the rest is what leaving took.
LEAVES = 'print(json.dumps({"last": time.monotonic()}), flush=True)\n'
BARE = "import json, time\n" + LEAVES

GOES_ON = (
    BEGIN
    + """
numbers = iter(range(10**9))
for line in sys.stdin:
    for _ in range(int(line)):
        qmon.track("step", {"n": next(numbers)})
    print(qmon.flush(5), flush=True)
"""
)

MEETS_A_HUNG_AGENT = (
    BEGIN
    + """
qmon.track("warm")
work(0)
qmon.flush(5)
print("ready", flush=True)
sys.stdin.readline()
before, slow = rss(), []
for n in range(6_000):
    slow.append(timed(qmon.track, "step", {"n": n, "text": "x" * 1000}))
    slow.append(timed(work, n))
    qmon.count("steps")
stats = qmon.stats()
print(json.dumps({
    "max_us": max(slow) // 1000, "median_us": sorted(slow)[len(slow) // 2] / 1000,
    "grown": rss() - before, "pending": stats.pending_bytes, "dropped": stats.dropped,
    "last": time.monotonic(),
}), flush=True)
"""
)


class TestAbsentAgent:
    def test_takes_in_what_waited_exactly_once(self, absent_agent, programs, measured):
        for _ in range(3):
            programs(ONE_OF_EACH).finish()
        waiting = len(absent_agent.spool_files())
        absent_agent.start()

        spans = absent_agent.wait_for("span", 3 * SPANS)
        events = absent_agent.wait_for("event", 3)
        points = absent_agent.wait_for("point", 3)
        measured(files=waiting, spans=len(spans), events=len(events), points=len(points))
        assert 3 * SPANS == len({span.span_id for span in spans}) == len(spans)
        assert 3 == len({event.event_id for event in events}) == len(events)
        assert 6 == sum(point.value for point in points if point.metric == "orders")

    def test_leaves_no_file_behind_once_it_has_taken_it(self, absent_agent, programs):
        programs(ONE_OF_EACH).finish()
        absent_agent.start()
        absent_agent.wait_for("span", SPANS)

        deadline = time.monotonic() + 10
        while absent_agent.spool_files():
            assert time.monotonic() < deadline
            time.sleep(0.05)


class TestAgentThatLeaves:
    @pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL])
    def test_and_returns_has_everything_once(self, *, way, agent, programs, measured):
        program = programs(GOES_ON)
        for n in (50, 50):
            program.say(n)
            assert "True" == program.hear()
            agent.stop(way)
            program.say(50)
            program.hear()
            agent.start()
        program.say(50)
        program.hear()
        program.finish()

        events = agent.wait_for("event", 250)
        measured(tracked=250, stored=len(events))
        assert [str(n) for n in range(250)] == sorted(
            (event.attributes["n"] for event in events), key=int
        )


class TestHungAgent:
    def test_blocks_no_call_and_loses_nothing(self, agent, programs, measured):
        program = programs(MEETS_A_HUNG_AGENT)
        assert "ready" == program.hear()
        agent.send(signal.SIGSTOP)
        program.say()
        told = program.finish()
        left_s = program.ended - told["last"]
        agent.send(signal.SIGCONT)
        events = agent.wait_for("event", 6_001)
        spans = agent.wait_for("span", 6_001)

        measured(
            max_call_us=told["max_us"],
            median_call_us=told["median_us"],
            grown_mb=round(told["grown"] / 1e6, 1),
            pending_mb=round(told["pending"] / 1e6, 1),
            exit_ms=round(left_s * 1000, 1),
        )
        assert {} == told["dropped"]
        assert 6_001 == len({event.event_id for event in events}) == len(events)
        assert 6_001 == len({span.span_id for span in spans}) == len(spans)
        # Bounds that a busy machine keeps: blocking would mean seconds. Besides what is pending,
        # there are what waits for its frame, a copy of it meanwhile, and the ring.
        assert told["max_us"] < 1_000_000
        assert told["pending"] <= BUDGET + (1 << 20)
        assert told["grown"] < 5 * BUDGET


class TestExit:
    """What leaving costs: the time from the last statement to the end, less bare Python's."""

    ROUNDS = 7

    def leaving(self, programs, source: str) -> float:
        program = programs(source)
        told = program.finish()
        return (program.ended - told["last"]) * 1000

    def median(self, programs, source: str) -> float:
        return statistics.median(self.leaving(programs, source) for _ in range(self.ROUNDS))

    @pytest.mark.parametrize("state", ["up", "absent", "hung"])
    def test_is_short_whatever_the_agent_does(self, *, state, absent_agent, programs, measured):
        if state != "absent":
            absent_agent.start()
        if state == "hung":
            absent_agent.send(signal.SIGSTOP)
        bare = self.median(programs, BARE)
        ours = self.median(programs, ONE_OF_EACH + LEAVES)

        measured(state=state, bare_ms=round(bare, 1), watched_ms=round(ours, 1))
        assert ours - bare < 500 * slowness(yardstick())
