"""Whatever is kept, however it is bounded: what is held stays, and what goes is the oldest."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.retention import (
    SPEAKERS,
    Bound,
    Clearing,
    Hold,
    Lot,
    Policy,
    clear,
    holding,
    within,
)
from qmon_agent.domain.sizes import UNITS, parse_size, print_size

NOW = 1_000
KINDS = ("span", "log")
SERVICES = ("shop", "bank", "post")
BOUNDS = st.builds(
    Bound,
    age_ns=st.none() | st.integers(0, NOW),
    bytes=st.none() | st.integers(0, 500),
)
POLICIES = st.builds(
    Policy,
    kinds=st.dictionaries(st.sampled_from(KINDS), BOUNDS),
    services=st.dictionaries(
        st.sampled_from(SERVICES), st.dictionaries(st.sampled_from(KINDS), BOUNDS, max_size=2)
    ),
)
HOLDS = st.lists(
    st.builds(
        Hold,
        id=st.just("h"),
        kinds=st.sampled_from([(), ("span",), ("log",)]),
        service=st.sampled_from(["", *SERVICES]),
        since=st.integers(0, NOW),
        until=st.integers(0, NOW),
    ),
    max_size=2,
)


SPEAKER = Lot(name="who", kind=SPEAKERS, bytes=1, oldest=0, newest=0, aged_from=0)


@st.composite
def lots(draw):
    made = []
    for number in range(draw(st.integers(0, 8))):
        oldest = draw(st.integers(0, NOW))
        newest = draw(st.integers(oldest, NOW))
        services = draw(st.dictionaries(st.sampled_from(SERVICES), st.integers(1, 9), min_size=1))
        made.append(
            Lot(
                name=str(number),
                kind=draw(st.sampled_from(KINDS)),
                bytes=draw(st.integers(1, 200)),
                oldest=oldest,
                newest=newest,
                aged_from=newest,
                services=services,
            )
        )
    return made


def applied(found, clearing):
    """What is left; a thinned lot is as much smaller as it has fewer rows."""
    left = []
    for lot in found:
        if lot.name in clearing.drop:
            continue
        gone = clearing.thin.get(lot.name, frozenset())
        size = lot.bytes - sum(lot.share(each) for each in gone)
        services = {name: n for name, n in lot.services.items() if name not in gone}
        left.append(msgspec.structs.replace(lot, bytes=size, services=services))
    return left


class TestClearing:
    @given(lots(), POLICIES, HOLDS)
    def test_never_touches_what_is_held(self, found, policy, holds):
        clearing = clear(found, policy, holds=holds, now=NOW)

        for lot in found:
            held = holding(lot, holds)
            assert not held or lot.name not in clearing.drop
            for service in clearing.thin.get(lot.name, ()):
                assert all(hold.service not in {"", service} for hold in held)

    @given(lots(), POLICIES)
    def test_leaves_no_lot_that_is_too_old(self, found, policy):
        left = applied(found, clear(found, policy, now=NOW))

        for lot in left:
            for service in lot.services:
                age = policy.of(lot.kind, service).age_ns
                assert age is None or lot.aged_from >= NOW - age

    @given(lots(), POLICIES)
    def test_keeps_within_the_bytes_of_each_kind(self, found, policy):
        left = applied(found, clear(found, policy, now=NOW))

        for kind, bound in policy.kinds.items():
            size = sum(lot.bytes for lot in left if lot.kind == kind)
            assert bound.bytes is None or size <= bound.bytes

    @given(lots(), POLICIES)
    def test_takes_the_oldest_where_there_are_too_many_bytes(self, found, policy):
        clearing = clear(found, policy, now=NOW)
        gone = [lot for lot in found if clearing.drop.get(lot.name) == "bytes"]

        for lot in gone:
            younger = [
                each
                for each in found
                if each.kind == lot.kind
                and each.name not in clearing.drop
                and each.aged_from < lot.aged_from
            ]
            assert not younger

    @given(lots(), POLICIES, HOLDS)
    def test_gives_up_nothing_that_is_neither_old_nor_too_much(self, found, policy, holds):
        unbound = Policy(
            kinds={k: Bound(age_ns=b.age_ns) for k, b in policy.kinds.items()},
            services={
                s: {k: Bound(age_ns=b.age_ns) for k, b in bounds.items()}
                for s, bounds in policy.services.items()
            },
        )
        clearing = clear(found, unbound, holds=holds, now=NOW)

        for lot in found:
            going = (
                {*lot.services} if lot.name in clearing.drop else clearing.thin.get(lot.name, ())
            )
            for service in going:
                assert lot.aged_from < NOW - policy.of(lot.kind, service).age_ns

    @given(lots(), HOLDS)
    def test_without_bounds_gives_up_nothing(self, found, holds):
        clearing = clear(found, Policy(), holds=holds, now=NOW)

        assert Clearing() == clearing

    @given(lots(), POLICIES, HOLDS)
    def test_says_which_lots_are_there_only_because_they_are_held(self, found, policy, holds):
        free = clear(found, policy, now=NOW)
        clearing = clear(found, policy, holds=holds, now=NOW)

        assert clearing.held <= {lot.name for lot in found if holding(lot, holds)}
        if not holds:
            assert not free.held


ROOMS = st.integers(0, 800)


class TestDisk:
    @given(lots(), POLICIES, HOLDS, ROOMS)
    def test_is_kept_to_unless_what_is_left_is_held(self, found, policy, holds, room):
        clearing = within(clear(found, policy, holds=holds, now=NOW), found, room=room, holds=holds)
        left = applied(found, clearing)

        assert sum(lot.bytes for lot in left) <= room or all(holding(lot, holds) for lot in left)

    @given(lots(), POLICIES, HOLDS, ROOMS)
    def test_never_touches_what_is_held_or_who_spoke(self, found, policy, holds, room):
        found = [*found, msgspec.structs.replace(SPEAKER, bytes=room)]
        before = clear(found, policy, holds=holds, now=NOW)
        clearing = within(before, found, room=room, holds=holds)

        assert SPEAKER.name not in clearing.drop
        for lot in found:
            assert lot.name not in clearing.drop or not holding(lot, holds)

    @given(lots(), POLICIES, HOLDS, ROOMS)
    def test_takes_the_oldest_of_all_kinds_and_none_too_many(self, found, policy, holds, room):
        before = clear(found, policy, holds=holds, now=NOW)
        clearing = within(before, found, room=room, holds=holds)
        gone = [lot for lot in found if clearing.drop.get(lot.name) == "disk"]
        youngest = max(gone, key=lambda lot: (lot.aged_from, lot.name), default=None)

        if youngest is not None:
            free = [each for each in applied(found, clearing) if not holding(each, holds)]
            assert all(each.aged_from >= youngest.aged_from for each in free)
            one_less = {k: v for k, v in clearing.drop.items() if k != youngest.name}
            thin = {**clearing.thin}
            if youngest.name in before.thin:
                thin[youngest.name] = before.thin[youngest.name]
            less = applied(found, Clearing(drop=one_less, thin=thin))
            assert sum(lot.bytes for lot in less) > room

    @given(lots(), POLICIES, HOLDS)
    def test_that_is_large_enough_changes_nothing(self, found, policy, holds):
        before = clear(found, policy, holds=holds, now=NOW)

        assert before == within(before, found, room=8 * 200, holds=holds)


class TestSizes:
    @given(st.integers(0, 10**15))
    def test_of_bare_numbers_are_bytes(self, size):
        assert size == parse_size(size) == parse_size(str(size))

    @given(st.integers(0, 999), st.sampled_from(sorted(UNITS)))
    def test_have_units_in_either_case(self, number, unit):
        assert number * UNITS[unit] == parse_size(f"{number} {unit.lower()}")

    @given(st.integers(0, 10**15))
    def test_are_told_about_as_they_are(self, size):
        assert abs(parse_size(print_size(size)) - size) <= size * 0.05
