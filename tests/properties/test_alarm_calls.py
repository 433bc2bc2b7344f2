"""Calls in rounds: each in its time, as often as was said, and none after somebody has reacted."""

from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.alarms.calling import Endpoint
from qmon_agent.domain.alarms.groups import Alarm, Quiet, dispatch, next_due
from qmon_agent.domain.alarms.route_tree import Branch, plant

START = 1_000
TIMES = st.integers(1, 100)
INTERVALS = st.integers(50, 500)


@st.composite
def endpoints(draw):
    """A chain of channels, the first at once, and rounds that are longer than it."""
    steps = sorted(draw(st.sets(TIMES, min_size=1, max_size=4)))
    longer, rounds = draw(TIMES), draw(st.integers(0, 4))
    how = {"rounds": rounds, "round_ns": steps[-1] + longer}
    return [Endpoint(channel=f"c{after}", after_ns=after, **how) for after in (0, *steps)]


def told(chain, interval, *, until=2_500, reacts_at=None):
    """When which channel hears of one alarm that goes on, looked at when something is due."""
    root = plant(
        Branch(
            receiver="team",
            group_wait_ns=0,
            group_interval_ns=interval,
            repeat_interval_ns=1_000_000,
        )
    )
    groups, now, news, calls = {}, START, [Alarm(id="a", starts_at=START)], []
    while now <= until:
        handled = ["a"] if reacts_at is not None and now >= reacts_at else []
        receivers, quiet = {"team": tuple(chain)}, Quiet(handled=handled)
        groups, said = dispatch(groups, news, now, root=root, receivers=receivers, quiet=quiet)
        calls += [(now, each.channel, each.reason) for each in said]
        news, now = [], next_due(groups)
    return calls


class TestRounds:
    @given(endpoints(), INTERVALS)
    def test_call_everybody_in_their_time_and_as_often_as_was_said(self, chain, interval):
        due = [
            (START + each.after_ns + number * each.round_ns, each.channel)
            for each in chain
            for number in range(each.rounds + 1)
        ]

        assert sorted(due) == sorted(call[:2] for call in told(chain, interval))

    @given(endpoints(), INTERVALS)
    def test_say_why(self, chain, interval):
        reasons = [
            [reason for _, channel, reason in told(chain, interval) if channel == each.channel]
            for each in chain
        ]

        assert [["first", *["repeat"] * each.rounds] for each in chain] == reasons

    @given(endpoints(), INTERVALS, st.integers(START + 1, 2_500))
    def test_end_when_somebody_reacts(self, chain, interval, moment):
        undisturbed = [call for call in told(chain, interval) if call[0] < moment]

        reacted = told(chain, interval, reacts_at=moment)
        assert undisturbed == [call for call in reacted if call[0] < moment]
        assert not [call for call in reacted if call[0] >= moment]
