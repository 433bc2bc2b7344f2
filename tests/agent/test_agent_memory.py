"""Memory that is shared: nobody fills it alone, whoever waits gets his turn, and it comes back."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.app.squeezing import MemoryWatch, group_limit, within
from qmon_agent.http.bodies import Bodies
from qmon_agent.http.refusals import Refusal
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.outcome import Peer
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.shares import Level, Shares
from qmon_agent.ingest.sources.remote_write import refusal_of
from qmon_agent.ingest.workroom import Workroom
from qmon_agent.settings import Admission as Options
from qmon_agent.vitals import Vitals

ADA, BOB = Peer(name="ada"), Peer(name="bob")
MIB = 1 << 20


class TestShares:
    def test_are_not_filled_by_one(self):
        shares = Shares(1000, of_one=500)
        shares.hold(500, ADA)

        assert (True, False) == (shares.is_full_for(ADA), shares.is_full_for(BOB))

    def test_keep_the_last_of_it_for_those_who_hold_little(self):
        shares = Shares(6400, of_one=6400)
        shares.hold(5000, ADA)

        assert shares.is_full_for(ADA, 1)
        assert not shares.is_full_for(BOB, 100)
        assert shares.is_full_for(BOB, 101)

    def test_let_in_those_who_waited_when_it_is_their_turn(self):
        shares, came = Shares(1000, of_one=500), []
        shares.hold(500, ADA)
        shares.when_free(lambda: came.append("ada"), ADA)
        shares.when_free(lambda: came.append("bob"), BOB)

        shares.release(1, ADA)

        assert ["bob", "ada"] == came

    def test_are_closed_and_opened_by_the_memory_of_the_process(self):
        shares, came = Shares(1000, of_one=500), []
        shares.squeeze(Level.FULL)
        shares.when_free(lambda: came.append("bob"), BOB)
        assert ([], True) == (came, shares.is_full_for(BOB))

        shares.squeeze(Level.CROWDED)

        assert ["bob"] == came


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 400)), max_size=60))
def test_whoever_asks_before_holding_leaves_something_to_others(wishes):
    """Whatever is wanted in whatever order: one never has it all, and all of it comes back."""
    shares, held = Shares(1000, of_one=500), []
    for name, size in wishes:
        peer = Peer(name=name)
        if not shares.is_full_for(peer, size):
            shares.hold(size, peer)
            held.append((size, peer))
        assert sum(size for size, one in held if one.name == name) < 500 + 400
    for size, peer in held:
        shares.release(size, peer)
    assert (0, Level.FREE, False) == (shares.held, shares.level, shares.is_full_for(ADA, 999))


class TestWorkroom:
    async def test_lets_in_one_of_each_sender_after_the_other(self):
        room, order = Workroom(6 * MIB), []

        async def work(peer, name):
            async with room.work(MIB, peer):
                order.append(name)
                await asyncio.sleep(0)

        names = [(ADA, "a1"), (ADA, "a2"), (ADA, "a3"), (BOB, "b1")]
        await asyncio.gather(*(work(*one) for one in names))

        assert ["a1", "a2", "b1", "a3"] == order

    async def test_makes_nobody_wait_who_brings_little(self):
        room = Workroom(6 * MIB)

        async with room.work(MIB, ADA), asyncio.timeout(5), room.work(100, BOB):
            assert room.largest == MIB

    async def test_forgets_who_gave_up_waiting(self):
        room = Workroom(6 * MIB)
        async with room.work(MIB, ADA):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), room.work(MIB, BOB):
                    pass

        async with asyncio.timeout(5), room.work(MIB, BOB):
            pass


class TestMemoryWatch:
    def watch(self, *resident, others=0):
        self.admission, told = Admission(Options(process_memory_bytes=1000)), iter(resident)
        return MemoryWatch(
            Options(process_memory_bytes=1000),
            admission=self.admission,
            vitals=Vitals(),
            resident=lambda: next(told),
            others=others,
        )

    def test_does_not_count_what_the_process_had_before_it(self):
        watch = self.watch(5_700, 5_930, others=5_000)
        levels = [watch.look() or watch.level.name for _ in range(2)]

        assert ["FREE", "FULL"] == levels

    def test_slows_senders_then_stops_them_and_lets_them_go_on(self):
        watch = self.watch(700, 810, 930, 880, 860, 760, 700)
        levels, given = [], []
        for _ in range(7):
            watch.look()
            levels.append(watch.level.name)
            given.append(bool(self.admission.credit))

        assert ["FREE", "CROWDED", "FULL", "FULL", "CROWDED", "CROWDED", "FREE"] == levels
        assert [True, False, False, False, False, False, True] == given

    def test_says_that_it_is_full(self):
        watch = self.watch(950, 950)
        watch.look()

        assert ["memory: 0 of 0 MiB are used; senders are told to come later"] == [
            *watch.problems()
        ]

    def test_obeys_a_control_group_that_allows_less(self, tmp_path):
        own, group = tmp_path / "cgroup", tmp_path / "pod" / "inner"
        group.mkdir(parents=True)
        own.write_text("0::/pod/inner\n")
        (group / "memory.max").write_text("max\n")
        (group.parent / "memory.max").write_text(f"{256 * MIB}\n")

        assert 256 * MIB == group_limit(tmp_path, own)

    def test_takes_smaller_queues_where_there_is_little(self):
        made = within(Options(process_memory_bytes=120 * MIB))

        assert 10 * MIB == made.memory_bytes


async def given_body(*parts):
    sent = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    sent.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return sent.pop(0)

    return receive


class TestBodies:
    def bodies(self, **options):
        self.intake = Intake(None, admission=Admission(Options(**options)), vitals=Vitals())
        return Bodies(self.intake, max_bytes=16 * MIB, timeout_s=5)

    async def test_are_in_the_share_of_their_sender_until_they_are_answered(self):
        bodies = self.bodies()
        shares = self.intake.admission.bodies
        packed = gzip.compress(bytes(50_000))

        async with bodies.read({"content-encoding": "gzip"}, await given_body(packed)) as body:
            assert (bytes(50_000), len(packed) + 50_000) == (body, shares.held)

        assert 0 == shares.held

    async def test_of_one_who_has_its_share_are_refused_before_they_are_read(self):
        bodies = self.bodies()
        self.intake.admission.bodies.hold(300 * MIB, ADA)

        with pytest.raises(Refusal, match="too much") as raised:
            async with bodies.read({"content-length": "9"}, asyncio.Future, peer=ADA):
                pass

        assert (429, "1") == (raised.value.status, raised.value.headers["retry_after"])
        assert 1 == self.intake.talkers.peers["ada"].refused

    async def test_for_which_there_is_never_memory_are_too_large(self):
        bodies = self.bodies(process_memory_bytes=8 * MIB)

        with pytest.raises(Refusal) as raised:
            async with bodies.read({"content-length": str(MIB)}, asyncio.Future):
                pass

        assert 413 == raised.value.status


def test_remote_write_is_told_503_by_the_gate_too():
    """A Prometheus drops what gets a 429, unless it is told otherwise."""
    assert (503, 503, 413) == tuple(refusal_of({}, status, "no")[0] for status in (429, 408, 413))


async def test_one_sender_is_known_by_its_token(agent):
    """Behind one address, one that floods does not use up the budgets of another."""
    import httpx

    made = [await agent.desk.create_token("ingest", name=name, ttl_s=60) for name in "ab"]
    url = f"{agent.ready['url']}/v1/logs"
    async with httpx.AsyncClient() as client:
        for token in made:
            headers = {"authorization": f"Bearer {token['token']}"}
            kind = {"content-type": "application/json"}
            said = [{"body": {"intValue": token["id"]}}]
            body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": said}]}]})
            await client.post(url, content=body, headers=headers | kind)

    peers = [name for name in agent.parts.taking.intake.talkers.peers if name.startswith("ip:")]
    assert 2 == len(peers)
    assert not any(token["token"] in name for token in made for name in peers)


async def test_one_address_does_not_take_all_connections(agent):
    """However many it opens, some are left to others, and it is told to come again."""
    import httpx

    place = httpx.URL(agent.ready["url"])
    opened = [
        await asyncio.open_connection(place.host, place.port, local_addr=("127.0.0.2", 0))
        for _ in range(390)
    ]
    refused = await asyncio.gather(*(_is_turned_away(reader) for reader, _ in opened[-10:]))

    async with httpx.AsyncClient() as client:
        assert 200 == (await client.get(f"{place}/healthz")).status_code
    for _, writer in opened:
        writer.close()
    assert 6 == sum(refused)


async def _is_turned_away(reader):
    try:
        async with asyncio.timeout(1):
            return b"retry-after: 1" in await reader.read(200)
    except TimeoutError:
        return False
