"""What goes unsaid after an absence: in the end everybody knows how it stands, and no more."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.alarms.unsaid import LATE_NS, Written, unsaid

NAMES = ("a", "b", "c")
LONG = 10 * LATE_NS


@st.composite
def threads(draw):
    """A group as it is told: each message has all that fires, and what is over since the last."""
    letters, firing, count = [], set(), draw(st.integers(1, 8))
    for n in range(1, count + 1):
        name = draw(st.sampled_from(NAMES))
        resolved = {name} & firing
        firing = firing ^ {name}
        letters.append(
            Written(
                id=n,
                says="firing" if firing else "resolved",
                created_at=n,
                firing=frozenset(firing),
                resolved=frozenset(resolved),
            )
        )
        if firing and draw(st.booleans()):
            letters.append(acknowledged(letters[-1], id=len(letters) + 100 * n))
    letters = [msgspec.structs.replace(each, id=n) for n, each in enumerate(letters, 1)]
    arrived = draw(st.integers(0, len(letters)))
    doubted = draw(st.sets(st.integers(arrived, len(letters))))
    return [
        msgspec.structs.replace(each, is_open=n >= arrived, was_told=n < arrived or n in doubted)
        for n, each in enumerate(letters)
    ], firing


def acknowledged(letter, **changes):
    return msgspec.structs.replace(letter, says="acknowledged", resolved=frozenset(), **changes)


def over(firing):
    return set(NAMES) - firing


def pictured(letters):
    """What seems to fire to whoever has got these."""
    seen = set()
    for each in letters:
        seen = (seen | each.firing) - each.resolved
    return seen


class TestUnsaid:
    @given(threads(), st.data())
    def test_leaves_everybody_with_how_it_stands(self, thread, data):
        letters, firing = thread
        left = unsaid(letters, LONG, over=over(firing))
        told = [each for each in letters if each.was_told and not each.is_open]
        # Of what may have arrived, any part may have.
        told += [each for each in letters if each.is_open and each.was_told and data.draw(BOTH)]
        sent = [each for each in letters if each.is_open and each.id not in left]

        heard = {name for each in (*told, *sent) for name in each.firing}
        assert firing & heard == pictured([*told, *sent]) & heard
        assert firing <= pictured([*told, *sent]) or not any(e.is_open for e in letters)

    @given(threads())
    def test_says_nothing_of_what_came_and_went_unheard(self, thread):
        letters, firing = thread
        left = unsaid(letters, LONG, over=over(firing))

        if not firing and not any(each.was_told for each in letters):
            assert {each.id for each in letters if each.is_open} == left.keys()

    @given(threads())
    def test_sends_the_end_of_what_may_have_been_heard(self, thread):
        letters, firing = thread
        left = unsaid(letters, LONG, over=over(firing))

        *_, last = letters
        was_heard = any(each.was_told and each.says != "resolved" for each in letters)
        if last.says == "resolved" and last.is_open and was_heard:
            assert last.id not in left

    @given(threads())
    def test_is_said_once_and_for_all(self, thread):
        letters, firing = thread
        left = unsaid(letters, LONG, over=over(firing))
        after = [
            msgspec.structs.replace(each, is_open=False, was_missed=not each.was_told)
            if each.id in left
            else each
            for each in letters
        ]

        assert {} == unsaid(after, LONG, over=over(firing))

    @given(threads())
    def test_is_nothing_of_what_has_not_waited(self, thread):
        letters, firing = thread

        assert {} == unsaid(letters, LATE_NS, over=over(firing))


BOTH = st.booleans()


def letter(n, says, **what):
    named = {"resolved" if says == "resolved" else "firing": frozenset("a")}
    return Written(id=n, says=says, **{"created_at": n, "is_open": True, **named, **what})


FIRING, WORSE, OVER = letter(1, "firing"), letter(2, "firing"), letter(3, "resolved")
SENT = {"is_open": False, "was_told": True}
MISSED = {"is_open": False, "was_missed": True}


class TestOneIncident:
    @pytest.mark.parametrize(
        ("letters", "over", "left"),
        [
            ([FIRING, WORSE, OVER], "a", {1: "over", 2: "over", 3: "unheard"}),
            ([FIRING, WORSE], "", {1: "newer"}),
            ([FIRING, WORSE], "a", {1: "over", 2: "over"}),
            ([letter(1, "firing", **SENT), WORSE, OVER], "a", {2: "newer"}),
            ([letter(1, "firing", was_told=True), OVER], "a", {1: "newer"}),
            ([letter(1, "firing", **SENT), WORSE], "a", {2: "over"}),
            ([FIRING, letter(2, "acknowledged")], "", {}),
            ([FIRING, letter(2, "acknowledged"), OVER], "a", {1: "over", 2: "over", 3: "unheard"}),
            ([letter(1, "firing", **MISSED), letter(2, "acknowledged")], "", {}),
        ],
    )
    def test_is_told_as_it_stands(self, letters, over, left):
        assert left == unsaid(letters, LONG, over=over)

    def test_that_was_left_unsaid_ends_unsaid_at_once(self):
        letters = [letter(1, "firing", **MISSED), letter(2, "resolved", created_at=LONG)]

        assert {2: "unheard"} == unsaid(letters, LONG, over="a")

    def test_that_begins_anew_after_one_was_left_unsaid_is_told_to_its_end(self):
        letters = [
            letter(1, "firing", **MISSED),
            letter(2, "firing", firing=frozenset("b"), created_at=LONG),
            letter(3, "resolved", resolved=frozenset("b"), created_at=LONG),
        ]

        assert {} == unsaid(letters, LONG, over="ab")

    def test_in_a_message_that_names_not_all_is_not_taken_for_all(self):
        assert {} == unsaid([letter(1, "firing", is_cut=True)], LONG, over="a")


class TestStorm:
    def test_is_summed_up_whoever_was_away(self):
        letters = [letter(1, "firing", sums_up=True), letter(2, "resolved", sums_up=True)]

        assert {1: "newer"} == unsaid(letters, LONG, over="a")
        assert {} == unsaid(letters[:1], LONG, over="a")
