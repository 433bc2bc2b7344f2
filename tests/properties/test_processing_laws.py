"""Laws of conditions, lots, scrubbing and the frames that come of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.domain.routing import Routes, routes_of, speaker_of
from qmon_agent.ingest.chain import Chain, Fallen, Passed
from qmon_agent.ingest.declared import Step, make_steps
from qmon_agent.ingest.foreign import dropped_of
from qmon_agent.ingest.lots import Lot, Origin
from qmon_agent.ingest.matching import Match, Matcher
from qmon_agent.ingest.passing import Framer, lots_of
from qmon_agent.ingest.processors.drop import DropProcessor
from qmon_sdk.protocol.columns import block_of, blocks_of, rows_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource, decode_frame, encode_frame
from qmon_sdk.protocol.signals import SIGNALS, Log, Span, kind_of

WORDS = st.sampled_from(
    ["", "a", "b", "GET /a", "password=x", "token: abcdefgh", "ü", "4111111111111111"]
)
LABELS = st.dictionaries(st.sampled_from(["k", "password", "http.method", "x"]), WORDS, max_size=3)
SPANS = st.builds(
    Span,
    time=st.integers(1, 2**40),
    name=WORDS,
    span_id=st.integers(0, 9).map(lambda n: f"{n:016x}"),
    status=st.sampled_from(["ok", "error"]),
    duration_ns=st.integers(0, 2**33),
    user_id=WORDS,
    attributes=LABELS,
)
LOGS = st.builds(Log, body=WORDS, level=st.sampled_from(["info", "error"]), attributes=LABELS)
ROWS = st.one_of(st.lists(SPANS, min_size=1, max_size=8), st.lists(LOGS, min_size=1, max_size=8))
RESOURCES = st.builds(Resource, service=st.sampled_from(["shop", "till"]), attributes=LABELS)
ORIGIN = Origin(process=b"p" * 16, sequence=7, record_id=7, time=1)

LEAVES = st.one_of(
    st.builds(Match, kind=st.sampled_from(["span", "log", ("span", "log")])),
    st.builds(Match, service=st.sampled_from(["shop", "sh*", ("till", "x")])),
    st.builds(Match, name=st.sampled_from(["a", "GET*", "~a$"])),
    st.builds(Match, status=st.just("error")),
    st.builds(Match, level=st.just("error")),
    st.builds(Match, duration_above=st.just("1s")),
    st.builds(
        Match,
        attributes=st.dictionaries(
            st.sampled_from(["k", "x"]), st.one_of(st.booleans(), WORDS), max_size=2
        ),
    ),
)
MATCHES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Match, any=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Match, all=st.lists(inner, max_size=3).map(tuple)),
        st.builds(Match, not_=inner),
    ),
    max_leaves=5,
)


def fits(match, resource, signal):
    verdict = Matcher(match).of(resource, kind_of(signal))
    return verdict if isinstance(verdict, bool) else verdict(signal)


class TestConditions:
    @given(MATCHES, RESOURCES, st.one_of(SPANS, LOGS))
    def test_not_is_the_opposite(self, match, resource, signal):
        assert fits(Match(not_=match), resource, signal) is not fits(match, resource, signal)

    @given(st.lists(MATCHES, min_size=1, max_size=3), RESOURCES, st.one_of(SPANS, LOGS))
    def test_any_and_all_are_what_they_say(self, matches, resource, signal):
        each = [fits(match, resource, signal) for match in matches]

        assert any(each) is fits(Match(any=tuple(matches)), resource, signal)
        assert all(each) is fits(Match(all=tuple(matches)), resource, signal)

    @given(MATCHES, RESOURCES, ROWS)
    def test_divide_everything(self, match, resource, rows):
        lot = Lot(resource, block_of(kind_of(rows[0]), rows), origin=ORIGIN)
        without, only = (left_by(each, lot) for each in (match, Match(not_=match)))

        assert Counter(map(repr, rows)) == Counter(map(repr, [*without, *only]))
        assert not [signal for signal in without if fits(match, resource, signal)]


def left_by(match, lot):
    """What is left where `drop` has this condition."""
    step = Step(name="drop", kind="drop", processor=DropProcessor(), matcher=Matcher(match))
    return [signal for each in Chain([step]).process([lot]).lots for signal in each.signals]


class TestLots:
    @given(ROWS)
    def test_change_the_same_as_block_and_as_rows(self, rows):
        kind = kind_of(rows[0])
        place = [field.name for field in SIGNALS[kind].FIELDS].index("attributes")
        changes = {place: lambda labels: {**labels, "more": "x"}}
        as_block = Lot(Resource(), block_of(kind, rows)).mapped(changes)
        as_rows = Lot(Resource(), (kind, rows)).mapped(changes)

        assert [*as_block.signals] == [*as_rows.signals] == rows_of(as_block.block())

    @given(ROWS)
    def test_are_themselves_where_nothing_differs(self, rows):
        lot = Lot(Resource(), block_of(kind_of(rows[0]), rows))

        assert lot is lot.mapped(dict.fromkeys(range(len(rows[0])), lambda value: value))


class TestScrubbing:
    @given(RESOURCES, ROWS)
    @settings(max_examples=50)
    def test_twice_is_once(self, resource, rows):
        chain = Chain(make_steps([{"kind": "scrub", "hash": ["k", "user_id"], "hash_key": "s"}]))
        (once,) = chain.process([Lot(resource, block_of(kind_of(rows[0]), rows))]).lots
        (twice,) = chain.process([once]).lots

        assert (once.resource, [*once.signals]) == (twice.resource, [*twice.signals])


class TestFrames:
    @given(
        st.lists(SPANS, min_size=1, max_size=8),
        st.lists(st.sampled_from(["", "a", "b", "drop", "who"]), min_size=8, max_size=8),
    )
    def test_have_everything_once_and_the_record_last(self, spans, fates):
        frame = Frame(
            process=ORIGIN.process,
            sequence=7,
            resource=Resource(service="shop"),
            blocks=blocks_of(spans),
            ledger=Ledger(captured={"span": len(spans)}),
        )
        lots = lots_of(frame, ORIGIN)
        passed = divided(lots[0], [*zip(spans, fates, strict=False)])
        made = [*Framer(b"i" * 16).frames(encode_frame(frame), frame, lots=lots, passed=passed)]
        read = [decode_frame(one.payload) for one in made]
        told = sum((Counter(dropped_of(each)) for each in read), Counter())
        rows = [
            row for each in read for block in each.blocks if block.rows for row in rows_of(block)
        ]

        assert [False] * (len(made) - 1) + [True] == [one.is_last for one in made]
        assert (ORIGIN.process, 7, frame.ledger) == (
            read[-1].process,
            read[-1].sequence,
            read[-1].ledger,
        )
        assert len({(one.process, one.sequence) for one in made}) == len(made)
        assert {ORIGIN.process} == {speaker_of(each) for each in read}
        assert len(spans) == len(rows) + told["span/processor:x"]
        assert {("a",), ("b",), ()} >= {routes_of(each).names for each in read}


def divided(lot, fates):
    """A lot whose signals go different ways."""
    passed = Passed([], [])
    for signal, fate in fates:
        part = lot.part([signal])
        if fate == "drop":
            passed.fallen.append(Fallen(origin=ORIGIN, name=b"", kind="span", by="x", number=1))
        elif fate == "who":
            passed.lots.append(part.of(Resource(service="other")))
        else:
            passed.lots.append(part.routed(Routes(names=(fate,))) if fate else part)
    return passed
