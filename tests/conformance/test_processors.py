"""What makes a processor a processor: every file in the folder, ours and others'."""

from __future__ import annotations

import socket
import time

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.plugins import options_of
from qmon_agent.ingest.chain import Chain
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.lots import Lot, Origin
from qmon_agent.ingest.processors import PROCESSORS
from qmon_sdk.protocol.columns import Block, block_of
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import SIGNALS, Error, Event, Log, Point, Span

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
# What each needs to be told at least.
NEEDED = {
    "keep": {"match": {"name": "*a*"}},
    "route": {"to": ["x"]},
    "rename": {"attributes": {"k": "key"}, "metric_prefix": "x."},
    "enrich": {"attributes": {"region": "eu"}},
    "rate_limit": {"per_s": 1.0},
    "sample": {"rate": 0.5},
}
WHO = Resource(service="shop", environment="prod", host="h")


def built(name, **more):
    return make_steps([{"kind": name, **NEEDED.get(name, {}), **more}])


def of_every_kind(number):
    """A record: some signals of each kind there is."""
    return {
        "span": [
            Span(name=name, trace_id=f"{number:032x}", span_id=f"{n:016x}", kind="server")
            for n, name in enumerate(("a", "b", "a"), 1)
        ],
        "error": [Error(type="E", message="password=x", issue_id="i"), Error(type="F")],
        "event": [Event(name="a", user_id="u", attributes={"k": "v"}), Event(name="b")],
        "point": [Point(metric="a", kind="counter", value=1.0), Point(metric="b", value=2.0)],
        "log": [Log(body="same"), Log(body="same"), Log(body=f"other {number}")],
        **{kind: [signal()] for kind, signal in SIGNALS.items() if kind not in SEEN},
    }


SEEN = ("span", "error", "event", "point", "log")


def records(count=5):
    """Records a second apart, as lots of blocks."""
    for number in range(1, count + 1):
        origin = Origin(
            process=b"p" * 16, sequence=number, record_id=number, time=BEGIN + number * SECOND
        )
        yield [
            Lot(WHO, block_of(kind, signals), origin=origin)
            for kind, signals in of_every_kind(number).items()
        ]


def run(chain, count=5):
    """Everything that comes of some records, and of the end."""
    passed = []
    for lots in records(count):
        passed += [chain.process(lots), chain.tick(lots[0].origin.time)]
    return [*passed, chain.finish()]


def names_of(passed):
    """What is written apart: under which names, and what is in it."""
    return [
        (lot.origin, lot.kind, lot.name, [*lot.signals])
        for one in passed
        for lot in one.lots
        if lot.name
    ]


@pytest.fixture(params=PROCESSORS.names())
def name(request):
    return request.param


class TestEveryProcessor:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (PROCESSORS.find(name).__doc__ or "").strip()

    def test_says_which_kinds_it_looks_at(self, name):
        assert PROCESSORS.find(name).kinds
        assert PROCESSORS.find(name).kinds <= {*SIGNALS}

    def test_refuses_an_option_it_does_not_have(self, name):
        with pytest.raises(ConfigError, match=f"processors.{name}.no_such_option"):
            built(name, no_such_option=1)

    def test_has_no_option_that_all_have(self, name):
        assert not {"kind", "name"} & {*options_of(PROCESSORS.find(name))}

    def test_accounts_for_every_signal(self, name):
        chain = Chain(built(name))
        passed = run(chain)
        came = sum(lot.rows for lots in records() for lot in lots)
        kept = sum(lot.rows for one in passed for lot in one.lots if lot.origin.process)
        fallen = sum(each.number for one in passed for each in one.fallen)

        assert came == kept + fallen
        assert 0 == chain.tallies[name].held
        assert "" == chain.tallies[name].error

    def test_lets_everything_go_at_the_end(self, name):
        chain = Chain(built(name))
        run(chain)

        assert chain.holds is None

    def test_holds_only_what_has_come(self, name):
        chain = Chain(built(name))
        for lots in records():
            chain.process(lots)
            assert chain.holds is None or chain.holds <= lots[0].origin.record_id

    def test_makes_the_same_of_the_same_again(self, name):
        first, again = run(Chain(built(name))), run(Chain(built(name)))

        assert names_of(first) == names_of(again)
        assert [one.fallen for one in first] == [one.fallen for one in again]

    def test_names_what_comes_later_than_its_record(self, name):
        chain = Chain(built(name))
        late = []
        for lots in records():
            late += [lot for lot in chain.process(lots).lots if lot.origin is not lots[0].origin]
            late += chain.tick(lots[0].origin.time).lots
        late += chain.finish().lots

        assert all(lot.name for lot in late)

    def test_leaves_alone_what_it_does_not_match(self, name):
        if "match" in options_of(PROCESSORS.find(name)):
            pytest.skip("decides itself what becomes of the others")
        chain = Chain(built(name, match={"service": "nobody"}))
        lots = next(records())

        assert lots == chain.process(lots).lots

    def test_is_not_stopped_by_a_block_that_contradicts_itself(self, name):
        chain = Chain(built(name))
        broken = [
            Lot(WHO, Block(kind=kind, rows=3, columns=(["d", b"x", 7],) * 3), origin=Origin())
            for kind in SIGNALS
        ]
        passed = chain.process(broken)
        fallen = sum(one.number for one in passed.fallen)

        assert 3 * len(broken) == fallen + sum(lot.rows for lot in passed.lots)

    def test_reads_nothing_and_asks_nobody(self, name, monkeypatch):
        chain = Chain(built(name))
        asked = []
        monkeypatch.setattr(time, "time_ns", lambda: asked.append("time_ns") or 0)
        monkeypatch.setattr(time, "time", lambda: asked.append("time") or 0.0)
        monkeypatch.setattr(socket, "socket", lambda *_: asked.append("socket"))
        monkeypatch.setattr("builtins.open", lambda *_, **__: asked.append("open"))
        run(chain)

        assert [] == asked
