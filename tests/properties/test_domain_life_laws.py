"""The laws of an incident's life by a vote, by how bad it is, and while nothing is known."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.incidents import ACTIVE, Episode, Opinion, Policy, due_at, follow
from qmon_agent.domain.votes import Ballot, parse_share

VERDICTS = st.lists(st.sampled_from(["breach", "clear", "unknown"]), max_size=20)


def live(verdicts, policy, *, each=1):
    """Episodes and reasons, one verdict a time."""
    episode, reasons = Episode(), []
    for now, verdict in enumerate(verdicts, 1):
        episode, moved = follow(episode, Opinion(verdict=verdict), now * each, policy=policy)
        reasons += [move.reason for move in moved]
    return episode, reasons


class TestVotes:
    @given(VERDICTS)
    def test_of_one_are_the_verdict_itself(self, verdicts):
        alone, voted = Policy(), Policy(ballot=Ballot(need=1, of=1, spare=0, within=2))

        assert live(verdicts, alone)[0].state == live(verdicts, voted)[0].state or (
            "unknown" in verdicts
        )

    def test_need_n_of_m_and_pass_over_what_is_missing(self):
        policy = Policy(ballot=Ballot(need=2, of=3, spare=1, within=3))
        told = ["breach", "unknown", "clear", "breach"]

        episode, reasons = live(told, policy)

        assert ("firing", ["breach"]) == (episode.state, reasons)

    def test_do_not_count_what_was_only_looked_at_again(self):
        policy = Policy(ballot=Ballot(need=2, of=3))
        episode, _ = live(["breach"], policy)

        for now in range(2, 9):
            again = Opinion(verdict="breach", is_vote=False)
            episode, _ = follow(episode, again, now, policy=policy)

        assert "inactive" == episode.state

    @pytest.mark.parametrize("text", ["", "3", "4 of 3", "0 of 3", "1 of 100000", "-1 of 2"])
    def test_that_make_no_sense_are_refused(self, text):
        with pytest.raises(ConfigError, match="votes"):
            parse_share(text, least=1, where="votes")


class TestUnknown:
    def test_fires_after_its_own_time_with_a_reason(self):
        policy = Policy(on_unknown="fire", unknown_for_ns=2, for_ns=100)

        _, reasons = live(["clear", "unknown", "unknown", "unknown"], policy)

        assert ["unknown_fired:no_data"] == reasons

    def test_resolves_after_its_own_time_with_a_reason(self):
        policy = Policy(on_unknown="resolve", unknown_for_ns=1)

        _, reasons = live(["breach", "unknown", "unknown", "unknown"], policy)

        assert ["breach", "unknown:no_data", "unknown_resolved:no_data"] == reasons

    @given(VERDICTS, st.sampled_from(["keep", "fire", "resolve"]), st.integers(0, 3))
    def test_foretells_when_it_acts(self, verdicts, action, patience):
        policy = Policy(on_unknown=action, unknown_for_ns=patience)
        episode, _ = live([*verdicts, "unknown"], policy)
        due, unknown = due_at(episode, policy), Opinion(verdict="unknown")

        assert episode == follow(episode, unknown, (due or 100) - 1, policy=policy)[0]
        if due is not None:
            assert episode.state != follow(episode, unknown, due, policy=policy)[0].state

    def test_of_a_cell_of_an_older_agent_begins_when_it_is_read(self):
        kept = msgspec.json.decode(
            b'{"state":"firing","fired_at":1,"unknown":"no_data"}', type=Episode
        )
        policy = Policy(on_unknown="resolve", unknown_for_ns=10)

        after, _ = follow(kept, Opinion(verdict="unknown"), 50, policy=policy)

        assert ("firing", 60) == (after.state, due_at(after, policy))


class TestSeverity:
    def test_that_rises_while_it_fires_is_a_transition(self):
        episode, reasons = Episode(), []
        for now, said in enumerate(["warning", "critical", "critical", "warning"]):
            opinion = Opinion(verdict="breach", severity=said)
            episode, moved = follow(episode, opinion, now, policy=Policy())
            reasons += [move.reason for move in moved]

        assert ["breach", "severity_raised:critical", "severity_lowered:warning"] == reasons


def test_a_fired_incident_knows_when_it_fired():
    episode, _ = live(["unknown"], Policy(on_unknown="fire"))

    assert episode.state in ACTIVE
    assert episode.fired_at


OPINIONS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.builds(
            Opinion,
            verdict=st.sampled_from(["breach", "clear", "unknown"]),
            severity=st.sampled_from(["", "info", "critical"]),
            reason=st.sampled_from(["no_data", "error"]),
            is_vote=st.booleans(),
        ),
    ),
    max_size=30,
)
POLICIES = st.builds(
    Policy,
    for_ns=st.integers(0, 4),
    keep_firing_ns=st.integers(0, 4),
    on_unknown=st.sampled_from(["keep", "fire", "resolve"]),
    unknown_for_ns=st.integers(0, 6),
    ballot=st.sampled_from(
        [Ballot(), Ballot(need=2, of=3), Ballot(need=1, of=2, spare=1, within=3)]
    ),
    severity=st.sampled_from(["", "warning"]),
)


class TestLives:
    def lived(self, opinions, policy, keep=lambda episode: episode):
        episode, moves, now = Episode(), [], 100
        for passed, opinion in opinions:
            now += passed
            episode, moved = follow(keep(episode), opinion, now, policy=policy)
            moves += moved
        return episode, moves

    @given(OPINIONS, POLICIES)
    def test_are_one_story_that_a_restart_does_not_change(self, opinions, policy):
        def kept(episode):
            return msgspec.json.decode(msgspec.json.encode(episode), type=Episode)

        story = self.lived(opinions, policy)

        assert story == self.lived(opinions, policy, keep=kept)
        states = ["inactive", *(move.after for move in story[1])]
        assert states[:-1] == [move.before for move in story[1]]
        assert states[-1] == story[0].state

    @given(OPINIONS, POLICIES)
    def test_fire_once_before_they_are_over(self, opinions, policy):
        _, moves = self.lived(opinions, policy)

        told = [
            move.after in ACTIVE
            for move in moves
            if (move.before in ACTIVE) != (move.after in ACTIVE)
        ]
        assert all(one != other for one, other in pairwise(told))

    @given(OPINIONS, POLICIES)
    def test_resolve_nothing_for_want_of_data_unless_told_to(self, opinions, policy):
        _, moves = self.lived(opinions, policy)

        ended = [m for m in moves if m.reason.startswith("unknown_resolved")]
        assert policy.on_unknown == "resolve" or not ended
        assert all(m.reason for m in moves)
