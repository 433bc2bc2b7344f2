"""When an incident is a trouble for a component, by the transitions of its life."""

import pytest

from qmon_agent.domain.alarms.components import USUAL_STATES, troubles
from qmon_agent.domain.alarms.window_spans import in_use, openings
from qmon_agent.domain.alarms.windows import Window
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.incidents import Transition

FIRES, ENDS = ("pending", "firing", "breach_held"), ("firing", "inactive", "cleared")
GUESSED = ("inactive", "firing", "unknown_fired:no_data")
KNOWN = ("firing", "firing", "known")
HOUR = 3_600 * SECOND


def met(*moves, severity="critical"):
    """What there is of these, at the seconds that stand before them, up to the hundredth."""
    life = [Transition(before=b, after=a, reason=why, at=at) for at, (b, a, why) in moves]
    found = troubles(
        life, severity=severity, usual_severity="warning", states=USUAL_STATES, now=100
    )
    return [(each.start, each.end, each.state) for each in found]


class TestTroubles:
    def test_last_from_firing_to_the_end(self):
        assert [(5, 9, "major_outage")] == met(
            (1, ("inactive", "pending", "breach")), (5, FIRES), (9, ENDS)
        )

    def test_last_still_where_there_is_no_end(self):
        assert [(5, 100, "major_outage")] == met((5, FIRES))

    def test_go_on_while_it_recovers_and_comes_back(self):
        recovering = ("firing", "recovering", "clear")
        back = ("recovering", "firing", "breach_returned")

        assert [(5, 100, "major_outage")] == met((5, FIRES), (7, recovering), (8, back))

    def test_are_as_bad_as_it_was_at_the_time(self):
        worse = ("firing", "firing", "severity_raised:critical")

        assert [(5, 7, "degraded_performance"), (7, 9, "major_outage")] == met(
            (5, FIRES), (7, worse), (9, ENDS)
        )

    def test_are_none_where_it_is_for_information(self):
        assert [] == met((5, FIRES), severity="info")

    def test_are_none_while_it_only_may_be(self):
        assert [] == met((5, GUESSED), (9, ENDS))

    def test_begin_when_it_is_known_to_be(self):
        assert [(7, 9, "major_outage")] == met((5, GUESSED), (7, KNOWN), (9, ENDS))

    def test_do_not_begin_when_it_is_known_to_be_well(self):
        recovering = ("firing", "recovering", "clear")

        assert [] == met((5, GUESSED), (7, KNOWN), (7, recovering), (9, ENDS))

    def test_go_on_when_nobody_knows_any_more(self):
        lost = ("firing", "firing", "unknown:no_data")

        assert [(5, 100, "major_outage")] == met((5, FIRES), (7, lost))


class TestWindows:
    def test_of_a_schedule_are_open_at_every_run(self):
        window = Window(name="w", schedule="0 * * * *", opens_ns=HOUR // 2)

        assert [(HOUR // 4, HOUR // 2), (HOUR, 3 * HOUR // 2)] == [
            *openings(window, HOUR // 4, 2 * HOUR)
        ]

    @pytest.mark.parametrize(("starts", "ends", "found"), [(2, 4, [(2, 4)]), (6, 9, [])])
    def test_that_are_open_once_are_open_then(self, starts, ends, found):
        window = Window(name="w", starts_at=starts, ends_at=ends)

        assert found == in_use(window, [], since=1, until=5)

    def test_that_begin_with_a_failure_begin_with_one_inside(self):
        window = Window(name="w", starts_at=10, ends_at=20, lasts_ns=5, is_flexible=True)

        assert [(12, 17)] == in_use(window, [30, 13, 12, 4], since=0, until=100)
        assert [] == in_use(window, [4, 30], since=0, until=100)
