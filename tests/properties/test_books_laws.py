"""Whatever is stored, expires, is forgotten, damaged, moved and on its way: the books add up."""

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.app.conservation import Conservation, Stock
from qmon_agent.app.lately import Lately
from qmon_sdk.protocol.columns import Block, blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger
from qmon_sdk.protocol.signals import Log, Span

AGING = frozenset({"span", "log"})
SIGNAL = {"span": Span(time=1, name="work"), "log": Log(time=1, body="b")}
ACTS = st.one_of(
    st.tuples(st.just("arrive"), st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("store"), st.integers(1, 9)),
    st.tuples(
        st.sampled_from(["expire", "forget", "damage"]),
        st.sampled_from(sorted(AGING)),
        st.integers(1, 5),
    ),
    st.tuples(st.sampled_from(["bury", "migrate", "restart", "unbind", "away", "look"])),
)


class World:
    """A journal, its books, and a store that reads behind them, as far as both can be counted."""

    def __init__(self):
        self.books, self.aging = Conservation(), AGING
        self.frames, self.place, self.captured = [], 0, Counter()
        self.rows, self.forgotten, self.damaged = Counter(), Counter(), Counter()
        self.expired, self.counted = Counter(), True

    def arrive(self, spans, logs):
        self.captured.update({"span": spans, "log": logs})
        frame = Frame(
            process=b"p" * 16,
            sequence=len(self.frames) + 1,
            blocks=blocks_of([SIGNAL["span"]] * spans + [SIGNAL["log"]] * logs),
            ledger=Ledger(captured=dict(self.captured), dropped={}),
        )
        self.frames.append(frame)
        self.books.enter(frame, record_id=len(self.frames), time=1)

    def store(self, number):
        for frame in self.frames[self.place : self.place + number]:
            self.rows.update({block.kind: block.rows for block in frame.blocks})
            self.place += 1

    def bury(self):
        """The store gives up on the next frame."""
        if self.place < len(self.frames):
            self.books.bury(self.frames[self.place])
            self.place += 1

    def _gone(self, kind, number, *, into):
        number = min(number, self.rows[kind])
        self.rows[kind] -= number
        into[kind] += number

    def expire(self, kind, number):
        if kind in self.aging:
            self._gone(kind, number, into=self.expired)

    def forget(self, kind, number):
        self._gone(kind, number, into=self.forgotten)

    def damage(self, kind, number):
        self._gone(kind, number, into=self.damaged)

    def migrate(self):
        """What is forgotten and damaged goes along; what is expired is in the books alone."""
        self.restart()

    def restart(self):
        self.books = msgspec.json.decode(msgspec.json.encode(self.books), type=Conservation)

    def unbind(self):
        """From now on everything is kept for ever; it has been looked until then."""
        self.look()
        self.aging = frozenset()

    def away(self):
        """Nobody can count; what was counted before is told."""
        self.counted = False
        self.look()
        self.counted = True

    def look(self):
        stock = Stock(
            rows=dict(self.rows),
            dead=self.books.dead_rows,
            forgotten=dict(self.forgotten),
            damaged=dict(self.damaged),
            aging=self.aging,
            place=self.place,
            is_counted=self.counted,
            exact=self.counted and self.place == len(self.frames),
        )
        return self.books.balance(stock)

    @property
    def on_its_way(self):
        return sum(block.rows for frame in self.frames[self.place :] for block in frame.blocks)


@given(st.lists(ACTS, max_size=40))
def test_what_is_captured_is_stored_or_dropped_or_behind_the_place_of_the_store(acts):
    world = World()
    for name, *how in acts:
        getattr(world, name)(*how)
    books = world.look()

    assert books["captured"] == books["stored"] + books["dropped"] + books["pending"]
    assert world.on_its_way == books["pending"]
    assert books["adds_up"]
    told = {kind: books["dropped_by_reason"].get(f"{kind}/expired", 0) for kind in world.expired}
    assert dict(world.expired) == told


@given(st.lists(ACTS, max_size=30), st.integers(1, 5), st.integers(1, 9))
def test_rows_from_behind_the_place_take_nothing_from_what_is_booked(acts, rows, ahead):
    """As of a server that has blocks of a parcel of which not all have arrived."""
    world = World()
    for name, *how in acts:
        getattr(world, name)(*how)
    before = world.look()["dropped_by_reason"]
    for _ in range(ahead):
        world.arrive(rows, 0)
    world.rows["span"] += rows
    books = world.look()
    world.rows["span"] -= rows

    assert before == books["dropped_by_reason"]
    assert world.on_its_way - rows == books["pending"]


@given(st.integers(1, 3_000), st.data())
def test_what_is_behind_a_record_is_told_within_bounds_however_much_came(records, data):
    lately, rows = Lately(), [number % 3 + 1 for number in range(records)]
    for number, n in enumerate(rows, 1):
        lately.note(number, {"span": n}, after=number - 1)
    place = data.draw(st.integers(0, len(rows)))
    told = lately.behind(place)["span"]
    lately.passed(place)

    assert sum(rows[place:]) <= told
    assert told == sum(rows[place:]) or place < len(rows) - 250
    assert told == lately.behind(place)["span"]
    assert len(lately.stretches) <= 512


def test_a_record_from_before_anybody_looked_is_unknown():
    lately = Lately()
    lately.note(8, {"span": 1}, after=7)

    assert lately.behind(6) is None
    assert {"span": 1} == lately.behind(7)


def test_a_kind_without_a_table_expires_not():
    books = Conservation()
    frame = Frame(process=b"p" * 16, sequence=1, blocks=(Block(kind="dream", rows=2),))
    books.enter(frame, record_id=1, time=1)

    balance = books.balance(Stock(rows={}, aging=AGING, place=1, exact=True))
    assert {"dream/no_table": 2} == balance["dropped_by_reason"]
