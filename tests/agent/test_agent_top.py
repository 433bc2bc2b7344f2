"""What `top` shows: of everybody who sends, what came in the last interval."""

from __future__ import annotations

import asyncio

from qmon_agent.cli._budgets import over_budget
from qmon_agent.cli._top_figures import figures
from qmon_agent.cli._top_lines import lines_of
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.talkers import Talkers
from qmon_sdk.protocol.columns import Block
from qmon_sdk.protocol.signals import Point, Span

ADA, BOB = Peer(name="ada"), Peer(name="pid:1")


def points(first, count):
    return [
        Point(metric="hits", attributes={"user": str(number), "code": "200"})
        for number in range(first, first + count)
    ]


async def picture(agent, *sent):
    """The figures of an interval in which these frames came."""
    before = await agent.desk.busiest()
    intake = agent.parts.taking.intake
    await asyncio.gather(*(intake.take(data, peer) for data, peer in sent))
    after = await agent.desk.busiest()
    return figures(before, {**after, "at": before["at"] + 1})


class TestTop:
    async def test_names_who_sends_most_first(self, agent, frame):
        large = frame(1, signals=[Span(name="work", trace_id=f"{n:032x}") for n in range(100)])

        shown = await picture(agent, (frame(2, process=bytes(16)), ADA), (large, BOB))

        assert ["pid:1", "ada"] == [row["name"] for row in shown["peers"]]
        assert {"span": 100.0} == shown["peers"][0]["signals_per_s"]
        assert shown["peers"][0]["program"]
        assert (2.0, "shop") == (shown["services"][0]["frames"], shown["services"][0]["name"])

    async def test_names_the_metric_that_grows_and_the_label_that_makes_it(self, agent, frame):
        sent = [(frame(n, signals=points(100 * n, 100)), ADA) for n in range(1, 5)]

        shown = await picture(agent, *sent)

        row = shown["metrics"][0]
        assert ("hits", "shop", 400) == (row["metric"], row["service"], row["series"])
        assert 400 * 60 == row["new_series_per_min"]
        assert row["labels"]["user"] > 64 > row["labels"]["code"] == 1

    async def test_counts_who_is_rejected(self, agent):
        shown = await picture(agent, (b"no frame", ADA))

        assert [("ada", 1)] == [(row["name"], row["rejected"]) for row in shown["peers"]]

    async def test_has_a_line_for_everything(self, agent, frame):
        shown = await picture(agent, (frame(1, signals=points(0, 3)), ADA))

        text = "\n".join(lines_of(shown))

        for word in ("host: cpu", "agent: pid", "PEERS", "METRICS", "source unix", "in:"):
            assert word in text

    async def test_shows_no_escape_sequences_of_strangers(self, agent, frame):
        evil = frame(1, signals=[Point(metric="\x1b[2J", attributes={"\x1b[31m": "x"})])

        text = "\n".join(lines_of(await picture(agent, (evil, Peer(name="\x1b]0;")))))

        assert "\x1b" not in text

    async def test_counts_what_was_forgotten_meanwhile_as_nothing(self, agent, frame):
        before = await agent.desk.busiest()
        began_anew = {**before, "intake": {**before["intake"], "received": -5}}

        assert 0 == figures(before, began_anew)["intake"]["received"]


class TestStatus:
    async def test_tells_what_went_over_its_budget(self, agent, frame):
        agent.parts.taking.intake.cardinality.series.budgets = (
            agent.parts.taking.intake.cardinality.series.budgets.__class__(
                group=1, service=2, peer=2, whole=2
            )
        )
        await agent.parts.taking.intake.take(frame(1, signals=points(0, 5)), ADA)

        status = await agent.desk.status()

        assert {"active": 2, "most": 2, "over": 3} == status["cardinality"]["series"]
        assert "3 series over budget; see qmon-agent top" in [*over_budget(status)]


class TestTalkers:
    def test_forgets_those_silent_longest(self):
        talkers = Talkers(most=2)
        for name in ("a", "b", "a", "c"):
            talkers.heard(name, "shop", size=1, blocks=())

        assert ["a", "c"] == [*talkers.peers]
        assert 2 == talkers.peers["a"].frames

    def test_adds_up_kinds_that_somebody_makes_up(self):
        talkers = Talkers()
        kinds = ("span", *(f"dream-{number}" for number in range(1_000)))
        talkers.heard("ada", "shop", size=1, blocks=[Block(kind=kind, rows=1) for kind in kinds])

        assert {"span": 1, "other": 1_000} == talkers.peers["ada"].signals
