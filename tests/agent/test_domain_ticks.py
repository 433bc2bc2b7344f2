"""The moments at which all wake together."""

import pytest

from qmon_agent.domain.ticks import until_tick


class TestUntilTick:
    @pytest.mark.parametrize("now", [100.0, 100.3, 100.49, 99.6, 99.999])
    def test_leads_to_the_moment_nearest_to_the_interval(self, now):
        assert 101.0 == pytest.approx(now + until_tick(now, 1.0))

    def test_is_shared_by_those_who_wake_seldom(self):
        seldom, often = 103.2 + until_tick(103.2, 10.0), 109.1 + until_tick(109.1, 1.0)

        assert 110.0 == pytest.approx(seldom) == pytest.approx(often)

    def test_is_at_once_without_an_interval(self):
        assert 0.0 == until_tick(5.3, 0.0)
