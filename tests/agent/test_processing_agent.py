"""An agent with processors: what comes in is acknowledged at once, and passes through them."""

from __future__ import annotations

import asyncio
import json
import re
import sys

import pytest

from qmon_agent.app import Agent, make_plan
from qmon_agent.cli.status import _lines
from qmon_agent.domain.errors import NotFoundError
from qmon_agent.domain.routing import speaker_of, spoken_by
from qmon_agent.journal import JournalReader
from qmon_agent.settings import find_locations
from qmon_agent.settings.claim import Claim
from qmon_sdk.protocol.columns import blocks_of, rows_of
from qmon_sdk.protocol.frames import Frame, decode_frame, encode_frame
from qmon_sdk.protocol.signals import Log, Span

USUAL = '[http]\nlisten = "127.0.0.1:0"\n[samplers]\nenabled = false\n'
DROP_HEALTH = '[[processors]]\nkind = "drop"\nmatch.name = "health"\n'
TAIL = '[[processors]]\nkind = "sample"\nmode = "tail"\n'
HEALTH, WORK = Span(time=1, name="health"), Span(time=2, name="work")


class Place:
    """A state directory in which agents live one after the other."""

    def __init__(self, directory):
        self.locations = find_locations(
            state=str(directory / "state"), socket=str(directory / "agent.sock")
        )
        self.locations.state.mkdir()
        self.agent = None

    def configure(self, text):
        (self.locations.state / "qmon.toml").write_text(USUAL + text)

    async def start(self, *, settle=True):
        self.locations = find_locations(
            state=str(self.locations.state), socket=str(self.locations.socket)
        )
        self._claim = Claim(self.locations.lock)
        self.agent = Agent(make_plan(self.locations, with_store=False))
        await self.agent.start()
        if settle:
            await self.agent.settle()
        return self.agent

    async def stop(self):
        agent, self.agent = self.agent, None
        if agent is not None:
            await agent.stop()
            self._claim.release()

    def take(self, frame):
        from qmon_agent.ingest.outcome import Peer

        return self.agent.parts.taking.intake.take(frame, Peer(name="test"))

    async def through(self):
        """Waits until nothing is on its way any more."""
        async with asyncio.timeout(10):
            while self.status().get("lag"):
                await asyncio.sleep(0.01)
            await self.agent.parts.judged.walk.drain()

    def status(self):
        return self.agent.services.processing.describe()

    def frames(self):
        records = JournalReader(self.locations.journal).read(max_bytes=1 << 30)
        return [decode_frame(record.payload) for record in records]

    def names(self):
        blocks = [block for frame in self.frames() for block in frame.blocks if block.rows]
        return [row.name for block in blocks for row in rows_of(block)]


@pytest.fixture
async def place(tmp_path):
    place = Place(tmp_path)
    yield place
    await place.stop()


class TestProcessors:
    async def test_let_through_what_they_leave_and_tell_the_rest(self, place, frame):
        place.configure(DROP_HEALTH)
        agent = await place.start()

        answer = await place.take(frame(signals=[HEALTH, WORK], captured={"span": 2}))
        await place.through()

        assert answer.acknowledged
        assert ["work"] == place.names()
        (kept,) = place.frames()
        assert (bytes(range(16)), 1, {"span": 2}) == (
            kept.process,
            kept.sequence,
            kept.ledger.captured,
        )
        books = (await agent.desk.status())["conservation"]
        assert {"span/processor:drop": 1, "span/no_store": 1} == books["dropped_by_reason"]
        assert (2, 1, True) == (books["captured"], books["received"], books["adds_up"])

    async def test_know_a_frame_that_comes_again(self, place, frame):
        place.configure(DROP_HEALTH)
        await place.start()
        await place.take(frame(signals=[WORK]))
        await place.through()

        again = await place.take(frame(signals=[WORK]))

        assert "duplicate" == again.fate.value
        assert ["work"] == place.names()

    async def test_pass_untouched_what_they_are_not_about(self, place, frame):
        place.configure(DROP_HEALTH)
        await place.start()
        payload = frame(signals=[WORK, Log(body="hello")])

        await place.take(payload)
        await place.through()

        records = JournalReader(place.locations.journal).read()
        assert [payload] == [record.payload for record in records]

    async def test_are_told_of_in_the_status(self, place, frame):
        place.configure(DROP_HEALTH)
        agent = await place.start()
        await place.take(frame(signals=[HEALTH, HEALTH, WORK]))
        await place.through()

        told = (await agent.desk.status())["processors"]["steps"]["drop"]

        assert ("drop", 2, 0, 2, 0) == tuple(
            told[key] for key in ("kind", "came", "went", "dropped", "held")
        )
        assert told["nanoseconds"] > 0
        assert 2 == agent.parts.vitals.count("processor_dropped", processor="drop")

    async def test_tell_what_they_hold(self, place, frame):
        place.configure(TAIL)
        agent = await place.start()
        signals = [Span(time=1, trace_id=f"{n:032x}", parent_id="b" * 16) for n in range(3)]
        await place.take(frame(signals=signals))
        await place.through()

        status = await agent.desk.status()

        assert {"sample": 3} == status["conservation"]["held_by_processors"]
        told = "  held 3: by processor sample, and booked when it lets them go"
        assert told in [*_lines({"version": 1, **status})]

    async def test_leave_nothing_of_what_has_passed(self, place, frame):
        place.configure(DROP_HEALTH)
        agent = await place.start()
        await place.take(frame(signals=[HEALTH, WORK]))
        await place.through()

        arrivals = agent.services.processing._arrivals
        arrivals._save()
        arrivals._trim()

        left = [path for path in place.locations.arrivals.iterdir() if path.is_file()]
        assert not [path for path in left if b"health" in path.read_bytes()]


class TestSpeakers:
    async def test_stay_who_they_are_behind_another_agent(self, place):
        place.configure(DROP_HEALTH)
        agent = await place.start()
        told = Frame(
            process=b"n" * 16,
            sequence=1,
            blocks=(*blocks_of([HEALTH, WORK]), spoken_by(b"s" * 16)),
        )
        await place.take(encode_frame(told))
        await place.through()

        (kept,) = place.frames()
        assert b"s" * 16 == speaker_of(kept)
        accounts = agent.parts.judged.conservation.accounts
        assert {"span/processor:drop": 1} == accounts[(b"s" * 16).hex()].fallen


class TestRoutes:
    CONFIG = """
    [[processors]]
    kind = "route"
    match.name = "audit*"
    to = ["audit"]
    store = false
    exclusive = true

    [sinks.audit]
    kind = "file"
    routes = ["audit"]
    path = "{audit}"

    [sinks.all]
    kind = "file"
    path = "{all}"
    """

    async def test_lead_to_the_sinks_that_name_them(self, place, frame, tmp_path):
        files = {name: tmp_path / f"{name}.ndjson" for name in ("audit", "all")}
        place.configure(self.CONFIG.format(**files))
        agent = await place.start()
        signals = [Span(time=1, name="audit.login"), WORK]
        await place.take(frame(signals=signals, captured={"span": 2}))
        await place.through()
        await agent.services.forwarding.drain()

        names = {name: re.findall(r'"name":"([^"]*)"', files[name].read_text()) for name in files}
        assert {"audit": ["audit.login"], "all": ["work"]} == names

    async def test_are_booked_where_the_store_does_not_get_them(self, place, frame, tmp_path):
        place.configure(self.CONFIG.format(audit=tmp_path / "a", all=tmp_path / "b"))
        agent = await place.start()
        signals = [Span(time=1, name="audit.login"), WORK]
        await place.take(frame(signals=signals, captured={"span": 2}))
        await place.through()

        books = (await agent.desk.status())["conservation"]
        assert {"span/routed_past_store": 1, "span/no_store": 1} == books["dropped_by_reason"]
        assert (2, 1, 0) == (books["captured"], books["received"], books["pending_in_processes"])


class TestLookingIn:
    TWO = DROP_HEALTH + '[[processors]]\nkind = "rename"\nspans = { work = "labour" }\n'

    async def seen(self, place, at, after):
        told = place.agent.desk.passing(at, after)
        return told["next"], [row["name"] for row in told["rows"]]

    async def test_shows_what_is_at_each_place(self, place, frame):
        place.configure(self.TWO)
        await place.start()
        places = ("before", "drop", "rename", "journal")
        for at in places:
            assert (0, []) == await self.seen(place, at, 0)
        await place.take(frame(signals=[HEALTH, WORK]))
        await place.through()

        shown = {at: (await self.seen(place, at, 0))[1] for at in places}
        assert ["health", "work"] == shown["before"]
        assert ["work"] == shown["drop"]
        assert ["labour"] == shown["rename"] == shown["journal"]

    async def test_goes_on_from_a_number(self, place, frame):
        place.configure("")
        await place.start()
        await self.seen(place, "journal", 0)
        for number in (1, 2):
            await place.take(frame(number, signals=[WORK]))
            after, names = await self.seen(place, "journal", number - 1)
            assert (number, ["work"]) == (after, names)

    async def test_names_the_places_there_are(self, place):
        place.configure(self.TWO)
        await place.start()

        with pytest.raises(NotFoundError, match="no place 'befor'; did you mean 'before'"):
            place.agent.desk.passing("befor", 0)

    async def test_says_that_there_are_none(self, place):
        place.configure("")
        await place.start()

        with pytest.raises(NotFoundError, match="no processors are configured"):
            place.agent.desk.passing("before", 0)

    async def test_is_what_tail_shows(self, place, frame):
        place.configure(self.TWO)
        await place.start()
        words = ["tail", "spans", "--at", "drop", "--no-follow", "--json"]
        tail = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "qmon_agent.cli", *words],
            *["--state", str(place.locations.state)],
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(1, 2_000):
            if tail.returncode is not None:
                break
            await place.take(frame(number, signals=[HEALTH, WORK]))
            await asyncio.sleep(0.02)
        said, _ = await tail.communicate()

        rows = [json.loads(line) for line in said.splitlines()]
        assert {("spans", "work", "shop")} == {
            (row["table"], row["name"], row["service"]) for row in rows
        }

    async def test_ends_when_nobody_looks_any_more(self, place, frame):
        place.configure(self.TWO)
        agent = await place.start()
        taps = agent.services.processing.taps
        await self.seen(place, "drop", 0)
        taps._taps["drop"].asked -= 60
        await place.take(frame(signals=[WORK]))
        await place.through()

        assert {} == taps._taps
        assert agent.services.processing._arrivals._passage.chain.look is None


class TestWithoutProcessors:
    async def test_nothing_of_it_is_there(self, place, frame):
        place.configure("")
        await place.start()

        await place.take(frame())

        assert not place.locations.arrivals.exists()
        assert {} == place.status()


class TestReload:
    async def test_puts_them_in_and_takes_them_away(self, place, frame):
        place.configure("")
        agent = await place.start()
        for number, text in enumerate(("", DROP_HEALTH, ""), 1):
            place.configure(text)
            await agent.services.reload()
            await place.take(frame(number, signals=[HEALTH, WORK]))
            await place.through()

        assert ["health", "work", "work", "health", "work"] == place.names()

    async def test_that_takes_them_away_leaves_nothing_of_them_in_the_status(self, place, frame):
        place.configure(DROP_HEALTH)
        agent = await place.start()
        await place.take(frame(signals=[HEALTH, WORK]))
        place.configure("")
        await agent.services.reload()

        async with asyncio.timeout(10):
            while place.status():
                await asyncio.sleep(0.05)
        assert ["work"] == place.names()
        assert [] == (await agent.desk.status())["problems"]

    async def test_exchanges_them_for_what_comes_from_then_on(self, place, frame):
        place.configure(DROP_HEALTH)
        agent = await place.start()
        await place.take(frame(1, signals=[HEALTH, WORK]))
        place.configure(DROP_HEALTH.replace("health", "work"))
        await agent.services.reload()
        await place.take(frame(2, signals=[HEALTH, WORK]))
        await place.through()

        assert ["work", "health"] == place.names()

    async def test_keeps_the_last_good_ones(self, place, frame):
        place.configure(DROP_HEALTH)
        agent = await place.start()
        place.configure(DROP_HEALTH + "nonsense = 1\n")

        told = await agent.services.reload()
        await place.take(frame(signals=[HEALTH, WORK]))
        await place.through()

        assert "processors.drop.nonsense" in told
        assert ["work"] == place.names()


class TestRestart:
    async def test_takes_up_what_waited(self, place, frame):
        place.configure(DROP_HEALTH)
        await place.start(settle=False)  # arrivals wait
        await place.take(frame(signals=[HEALTH, WORK]))
        await place.stop()
        before = place.names()

        await place.start()
        await place.through()

        assert ([], ["work"]) == (before, place.names())

    async def test_without_them_passes_on_by_the_old_ones_what_waited(self, place, frame):
        place.configure(DROP_HEALTH)
        await place.start(settle=False)
        await place.take(frame(1, signals=[HEALTH, WORK]))
        await place.stop()
        place.configure("")

        await place.start()
        await place.take(frame(2, signals=[HEALTH, WORK]))
        await place.through()

        assert ["health", "work", "work"] == sorted(place.names())

    async def test_with_others_sends_what_waited_through_the_old_ones(self, place, frame):
        place.configure(DROP_HEALTH)
        await place.start(settle=False)
        await place.take(frame(1, signals=[HEALTH, WORK]))
        await place.stop()
        place.configure(DROP_HEALTH.replace("health", "work"))

        await place.start()
        await place.take(frame(2, signals=[HEALTH, WORK]))
        await place.through()

        assert ["work", "health"] == place.names()
