"""Several instances of a service that tell one series: what a rule makes of them."""

import asyncio
import os
import subprocess
import sys

import msgspec
import pytest

from qmon_agent.alerting.evaluation import Cell, evaluate
from qmon_agent.alerting.observed import Observed
from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.identity import replica_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Point

OLD = {"value": 99.0, "seen": 1_000_000 * SECOND, "held": 1}
CONFIG = """
[samplers]
enabled = false
[[alerts]]
name = "long"
metric = "queue"
threshold = "> 5"
"""
PROGRAM = """
import sys
import qmon_sdk as qmon
qmon.init(service="shop")
print("here", flush=True)
for line in sys.stdin:
    qmon.gauge("queue", float(line))
    qmon.flush(30)
    print("told", flush=True)
qmon.shutdown()
"""


class Program:
    """A process that tells what it is told to, and ends when it is left."""

    def __init__(self, where):
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=where,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "here\n" == self._process.stdout.readline()

    def tell(self, value):
        print(value, file=self._process.stdin, flush=True)
        assert "told\n" == self._process.stdout.readline()

    def end(self):
        if self._process.poll() is None:
            self._process.communicate(timeout=60)


class Judge:
    """One rule, its cells, and a clock; what it remembers is read back each time."""

    def __init__(self, kind="threshold", memory=None, **options):
        self.rule = RULES.build(kind, {"metric": "queue", **options})
        self.now, self.cells = 1_000_000 * SECOND, {}
        self.memory = memory or {}

    def say(self, replica, value, *, seconds=1, kind="gauge", began=0):
        """`began`: so many seconds ago; 0 is unknown."""
        self.now += round(seconds * SECOND)
        began = began and self.now - round(began * SECOND)
        points = [Point(metric="queue", value=float(value), kind=kind)]
        batch = Observed(service="shop", time=self.now, replica=replica, began=began, points=points)
        for fact in self.rule.notice(batch):
            cell = self.cells.get(fact.instance, Cell(memory=self.memory))
            cell = msgspec.json.decode(msgspec.json.encode(cell), type=Cell)
            done = evaluate(
                cell, fact, self.now, rule=self.rule, policy=self.rule.about().policy, name="x"
            )
            assert not done.failed
            self.cells[fact.instance] = done.cell
        return self.state

    @property
    def cell(self):
        [cell] = self.cells.values()
        return cell

    @property
    def state(self):
        return [cell.episode.unknown or cell.episode.state for cell in self.cells.values()]


class TestAThreshold:
    def test_does_not_flip_where_one_instance_breaches_and_another_does_not(self):
        judge = Judge(threshold="> 5")

        states = [judge.say(*told) for told in [("a", 9), ("b", 1)] * 20]

        assert [["firing"]] * 40 == states
        assert (9.0, "queue = 9 (> 5), a, of 2 instances") == (judge.cell.value, judge.cell.text)

    def test_is_over_when_no_instance_breaches_any_more(self):
        judge = Judge(threshold="> 5")
        for told in [("a", 9), ("b", 8), ("a", 1)]:
            judge.say(*told)

        assert (["firing"], ["inactive"]) == (judge.state, judge.say("b", 1))

    @pytest.mark.parametrize(
        ("across", "value"), [("any", 2), ("sum", 12), ("avg", 4), ("min", 2), ("max", 6)]
    )
    def test_compares_the_number_that_is_asked_for(self, across, value):
        judge = Judge(threshold="< 3", across=across)
        for told in [("a", 2), ("b", 4), ("c", 6)]:
            judge.say(*told)

        assert (value, value < 3) == (judge.cell.value, judge.state == ["firing"])

    def test_of_equality_sees_the_one_that_is_equal(self):
        judge = Judge(threshold="== 0")
        for told in [("a", 3), ("b", 0), ("c", -3)]:
            judge.say(*told)

        assert (["firing"], 0.0) == (judge.state, judge.cell.value)

    def test_makes_an_incident_of_each_instance_where_that_is_asked_for(self):
        judge = Judge(threshold="> 5", across="each")
        judge.say("web-1:7", 9)

        assert ["firing", "inactive"] == judge.say("web-2:7", 1)
        assert ["web-1:7", "web-2:7"] == [one.labels["instance"] for one in judge.cells.values()]

    def test_knows_nothing_of_an_instance_that_says_no_number(self):
        judge = Judge(threshold="> 5")
        judge.say("a", 9)

        assert (["firing"], 9.0) == (judge.say("b", float("nan")), judge.cell.value)
        assert ["not_a_number"] == judge.say("a", float("nan"))

    def test_takes_one_that_does_not_say_who_it_is_for_all(self):
        judge = Judge(threshold="> 5")
        judge.say("a", 9)

        assert ["inactive"] == judge.say("", 1)

    def test_refuses_another_word(self):
        with pytest.raises(ConfigError, match="across"):
            RULES.build("threshold", {"metric": "queue", "threshold": 1, "across": "most"})


class TestAnInstanceThatIsGone:
    def test_is_followed_by_the_next_run_of_a_program_that_ends(self):
        judge = Judge(threshold="> 5")
        told = [("a", 9), ("b", 1), ("c", 9), ("d", 2)]
        states = [judge.say(name, value, seconds=10, began=1) for name, value in told]

        assert [["firing"], ["inactive"]] * 2 == states
        assert "" == judge.cell.text

    def test_counts_on_where_it_speaks_at_a_pace_and_another_has_begun(self):
        judge = Judge(threshold="> 5")
        for _ in range(60):
            judge.say("old", 9)

        assert ["firing"] == judge.say("new", 1, began=0.5)

    def test_counts_for_a_minute_more_where_it_spoke_each_second(self):
        judge = Judge(threshold="> 5")
        for _ in range(60):
            judge.say("old", 9)
        states = [judge.say("new", 1) for _ in range(70)]

        assert 60 == states.index(["inactive"])
        assert "queue = 1 (> 5), new, the only instance" == judge.cell.text

    @pytest.mark.parametrize("points", [5, 10, 35])
    def test_counts_for_a_minute_more_however_few_its_regular_points_were(self, points):
        judge = Judge(threshold="> 5")
        for _ in range(points):
            judge.say("old", 9)
        states = [judge.say("new", 1) for _ in range(70)]

        assert 60 == states.index(["inactive"])

    def test_counts_for_long_where_all_it_said_came_together(self):
        judge = Judge(threshold="> 5")
        for _ in range(10):
            judge.say("old", 9, seconds=0)
        states = [judge.say("new", 1, seconds=10) for _ in range(40)]

        assert 30 == states.index(["inactive"])

    def test_counts_for_all_of_the_silence_where_little_is_known_of_it(self):
        judge = Judge(threshold="> 5", stale_after="100s")
        judge.say("old", 9)
        states = [judge.say("new", 1, seconds=10) for _ in range(20)]

        # A little longer, as the new one might have been pausing until its pace was known.
        assert 11 == states.index(["inactive"])

    def test_counts_while_it_speaks_as_seldom_as_ever(self):
        judge = Judge(threshold="> 5")
        for _ in range(30):
            judge.say("often", 1)
        for _ in range(10):
            judge.say("seldom", 9, seconds=0)
            states = [judge.say("often", 1) for _ in range(90)]

        assert [["firing"]] * 90 == states

    def test_is_replaced_at_once_by_one_of_its_name(self):
        judge = Judge(threshold="> 5")
        for told in [("web-1:1", 9), ("web-2:1", 1)]:
            judge.say(*told)

        assert ["inactive"] == judge.say("web-1:1", 1)

    def test_leaves_nothing_behind_however_many_there_were(self):
        judge = Judge(threshold="> 5")
        for number in range(1_000):
            judge.say(f"web:{number}", 1, seconds=0.1)

        assert len(msgspec.json.encode(judge.cell)) < 10_000

    def test_of_an_older_agents_notes_counts_no_more(self):
        judge = Judge(threshold="> 5", memory=OLD)

        assert ["inactive"] == judge.say("a", 1)
        assert ["inactive"] == judge.say("b", 1)


class TestAChange:
    def change(self, judge):
        """After two minutes of two instances, one that rises and one that does not."""
        for second in range(120):
            judge.say("a", 100 + second, seconds=0.5)
            judge.say("b", 10, seconds=0.5)
        return judge.cell.value

    @pytest.mark.parametrize(("across", "value"), [("avg", 30), ("sum", 60), ("max", 60)])
    def test_of_a_gauge_is_that_of_one_number(self, across, value):
        options = {"threshold": "> 9", "window": "1m", "across": across}

        assert pytest.approx(value, rel=0.1) == self.change(Judge("rate_of_change", **options))

    def test_of_totals_adds_up_what_each_has_grown(self):
        judge = Judge("rate_of_change", threshold="> 9", window="1m", totals=True)

        assert pytest.approx(60, rel=0.1) == self.change(judge)

    def test_of_totals_passes_over_the_restart_of_one(self):
        judge = Judge("rate_of_change", threshold="> 9", window="1m", totals=True)
        for second in range(60):
            judge.say("a", second % 30, seconds=0.5)
            judge.say("b", 1_000 + second, seconds=0.5)

        assert pytest.approx(117, rel=0.05) == judge.cell.value

    def test_of_a_counter_adds_up_whoever_begins_anew(self):
        judge = Judge("rate_of_change", threshold="> 9", window="1m")
        for second in range(60):
            judge.say("a" if second < 30 else "c", 1, seconds=0.5, kind="counter")
            judge.say("b", 2, seconds=0.5, kind="counter")

        assert pytest.approx(180, rel=0.05) == judge.cell.value

    def test_goes_on_from_the_totals_of_an_older_agent(self):
        judge = Judge("rate_of_change", threshold="> 9", window="1m", totals=True)
        for second in range(40):
            judge.say("", second)
        for second in range(40, 60):
            judge.say("a", second)

        assert pytest.approx(60, rel=0.1) == judge.cell.value


class TestAForecast:
    def test_looks_ahead_of_the_instance_that_is_nearest_to_the_line(self):
        options = {"threshold": "> 200", "window": "1m", "within": "10m"}
        judge = Judge("forecast", **options)
        for second in range(60):
            judge.say("a", 100 + second / 2, seconds=0.5)
            judge.say("b", 10, seconds=0.5)

        assert ["firing"] == judge.state


OTHERS = {"service.instance.id": "i-7", "k8s.pod.name": "shop-1"}


class TestAnInstance:
    @pytest.mark.parametrize(
        ("who", "name"),
        [
            ({"host": "web-1", "pid": 7, "sdk": "qmon.python", "attributes": OTHERS}, "web-1:7"),
            ({"host": "web-1", "pid": 7, "sdk": "otel", "attributes": OTHERS}, "i-7"),
            ({"pid": 7, "sdk": "otel", "attributes": {"k8s.pod.name": "shop-1"}}, "shop-1:7"),
            ({"host": "web-1", "pid": 7, "sdk": "agent"}, "web-1"),
            ({"sdk": "otel"}, "01" * 16),
        ],
    )
    def test_goes_by_what_says_best_who_it_is(self, who, name):
        assert name == replica_of(Frame(process=b"\1" * 16, resource=Resource(**who)))


@pytest.fixture
async def stage(agent):
    """The agent with a rule, and how a program is begun that speaks to it."""
    plan = agent._plan.locations
    plan.config.write_text(CONFIG)
    await agent.services.reload()
    where, begun = {**os.environ, "QMON_SOCKET": str(plan.socket)}, []

    async def begin():
        begun.append(await asyncio.to_thread(Program, where))
        return begun[-1]

    yield begin
    for each in begun:
        await asyncio.to_thread(each.end)


async def standing_of(agent):
    await agent.parts.judged.walk.drain()
    [standing] = agent.parts.judged.alerting.standings()
    return standing.state, standing.value


class TestTwoProcesses:
    async def test_that_tell_one_gauge_are_one_incident_that_does_not_end(self, agent, stage):
        one, other = await stage(), await stage()
        await asyncio.to_thread(one.tell, 9)
        await asyncio.to_thread(other.tell, 1)

        assert ("firing", 9.0) == await standing_of(agent)

    async def test_of_which_one_follows_the_other_are_one_after_the_other(self, agent, stage):
        one = await stage()
        await asyncio.to_thread(one.tell, 9)
        await asyncio.to_thread(one.end)
        assert ("firing", 9.0) == await standing_of(agent)

        other = await stage()
        await asyncio.to_thread(other.tell, 1)

        assert ("inactive", 1.0) == await standing_of(agent)
