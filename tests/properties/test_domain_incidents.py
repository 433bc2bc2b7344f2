"""The laws of an incident's life."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qmon_agent.domain.incidents import ACTIVE, INACTIVE, Policy, close, due_at, step

DURATIONS = st.integers(0, 5)
EVALUATIONS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=40)


def prometheus(evaluations, hold, keep):
    """What `rules/alerting.go` does with one series, written down independently of our machine."""
    active_at = keep_since = None
    fired = False
    for now, breached in evaluations:
        if breached:
            active_at = now if active_at is None else active_at
            keep_since = None
            fired = fired or now - active_at >= hold
        elif fired:
            keep_since = now if keep_since is None else keep_since
            if keep == 0 or now - keep_since >= keep:
                active_at, keep_since, fired = None, None, False
        else:
            active_at = None
        yield "firing" if fired else "inactive" if active_at is None else "pending"


def run(verdicts, policy, episode=INACTIVE):
    """Every state after each verdict, and all transitions."""
    states, moves = [], []
    for now, verdict in verdicts:
        episode, moved = step(episode, verdict, now, policy=policy)
        states.append(episode)
        moves += moved
    return states, moves


def timed(evaluations):
    now, out = 1_000, []
    for passed, breached in evaluations:
        now += passed
        out.append((now, breached))
    return out


class TestAgainstPrometheus:
    @settings(max_examples=300)
    @given(EVALUATIONS, DURATIONS, DURATIONS)
    def test_fires_holds_and_resolves_when_it_would(self, evaluations, hold, keep):
        evaluations = timed(evaluations)
        verdicts = [(now, "breach" if breached else "clear") for now, breached in evaluations]

        states, _ = run(verdicts, Policy(for_ns=hold, keep_firing_ns=keep))

        ours = ["firing" if each.state in ACTIVE else each.state for each in states]
        assert list(prometheus(evaluations, hold, keep)) == ours

    def test_fires_on_the_first_evaluation_at_which_the_breach_is_old_enough(self):
        states, _ = run([(1, "breach"), (2, "breach"), (3, "breach")], Policy(for_ns=2))

        assert ["pending", "pending", "firing"] == [each.state for each in states]

    def test_keeps_firing_as_long_as_it_was_told_to(self):
        verdicts = [(1, "breach"), (5, "clear"), (7, "clear"), (8, "clear")]

        states, _ = run(verdicts, Policy(keep_firing_ns=3))

        assert ["firing", "recovering", "recovering", "inactive"] == [s.state for s in states]


class TestUnknown:
    @given(EVALUATIONS, DURATIONS, DURATIONS, st.lists(st.integers(0, 39), max_size=10))
    def test_never_changes_a_state(self, evaluations, hold, keep, unknown):
        policy = Policy(for_ns=hold, keep_firing_ns=keep)
        verdicts = [(n, "breach" if breached else "clear") for n, breached in timed(evaluations)]
        doubted = [
            (n, "unknown") if place in unknown else (n, v) for place, (n, v) in enumerate(verdicts)
        ]

        states, moves = run(doubted, policy)

        before = [INACTIVE, *states]
        same = [
            before[i].state == states[i].state for i, (_, v) in enumerate(doubted) if v == "unknown"
        ]
        assert all(same)
        assert all(move.before == move.after for move in moves if move.reason.startswith("unknown"))

    def test_is_told_of_an_incident_with_its_reason_and_its_end(self):
        _, moves = run([(1, "breach"), (2, "unknown"), (3, "unknown"), (4, "breach")], Policy())

        assert ["breach", "unknown:no_data", "known"] == [move.reason for move in moves]


class TestTime:
    @given(EVALUATIONS, DURATIONS, DURATIONS)
    def test_alone_changes_nothing_before_the_moment_foretold(self, evaluations, hold, keep):
        policy = Policy(for_ns=hold, keep_firing_ns=keep)
        verdicts = [(n, "breach" if breached else "clear") for n, breached in timed(evaluations)]
        states, _ = run(verdicts, policy)

        for (now, verdict), episode in zip(verdicts, states, strict=True):
            due = due_at(episode, policy)
            later = now + 1_000 if due is None else due - 1
            assert episode == step(episode, verdict, max(now, later), policy=policy)[0]
            if due is not None:
                assert episode != step(episode, verdict, max(now, due), policy=policy)[0]


class IncidentLife(RuleBasedStateMachine):
    """Any verdicts at any times, also backwards: the transitions tell one consistent story."""

    def __init__(self):
        super().__init__()
        self.policy = Policy(for_ns=3, keep_firing_ns=2)
        self.episode, self.now, self.moves, self.given = INACTIVE, 100, [], []

    @rule(passed=st.integers(-2, 6), verdict=st.sampled_from(["breach", "clear", "unknown"]))
    def judge(self, passed, verdict):
        self.now += passed
        self.given.append((self.now, verdict))
        self.episode, moved = step(self.episode, verdict, self.now, policy=self.policy)
        self.moves += moved

    @rule()
    def end_by_hand(self):
        self.given.append((self.now, None))
        self.episode, moved = close(self.episode, self.now, "by_hand")
        self.moves += moved

    @invariant()
    def every_transition_begins_where_the_one_before_ended(self):
        states = ["inactive", *(move.after for move in self.moves)]
        assert states[:-1] == [move.before for move in self.moves]
        assert states[-1] == self.episode.state

    @invariant()
    def it_never_fires_twice_without_resolving(self):
        told = [
            move.after in ACTIVE
            for move in self.moves
            if (move.before in ACTIVE) != (move.after in ACTIVE)
        ]
        assert all(one != other for one, other in pairwise(told))

    @invariant()
    def a_replay_gives_the_same(self):
        episode, moves = INACTIVE, []
        for now, verdict in self.given:
            episode, moved = (
                close(episode, now, "by_hand")
                if verdict is None
                else step(episode, verdict, now, policy=self.policy)
            )
            moves += moved
        assert (episode, moves) == (self.episode, self.moves)


TestIncidentLife = IncidentLife.TestCase
TestIncidentLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
