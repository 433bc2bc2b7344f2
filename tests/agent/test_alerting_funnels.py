"""Funnels that lose more people than they should."""

import re

import pytest

from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.errors import ConfigError
from qmon_sdk.protocol.signals import Event
from tests.agent.test_alerting_kinds import Judge

WAY = {"steps": ["view", "order"], "within": "10m", "window": "10m", "minimum": 20}


class Shop:
    """People who come, and some of whom order after a minute."""

    def __init__(self, **options):
        self.judge = Judge("funnel_drop", **WAY | options)
        self.people = 0

    def visit(self, come, order, **said):
        """For a minute: so many begin, and so many end."""
        who = [f"u{self.people + n}" for n in range(come)]
        self.people += come
        self.judge.see(30, events=[Event(name="view", user_id=user) for user in who])
        ended = [Event(name="order", user_id=user, attributes=said) for user in who[:order]]
        self.judge.see(30, events=ended)
        return self

    def day(self, come, order, minutes=30):
        for _ in range(minutes):
            self.visit(come, order)
        return self

    def wait(self, minutes):
        for _ in range(minutes):
            self.judge.wait(60)
        return self

    @property
    def state(self):
        return self.judge.state


class TestFunnelDrop:
    def test_is_told_when_too_few_come_to_the_end(self):
        shop = Shop(below=0.2).day(10, 1)

        assert ("firing", pytest.approx(0.1)) == (shop.state, shop.judge.cell.value)
        assert "10 % of 100 users came from view to order" == shop.judge.cell.text

    def test_is_not_told_while_there_are_enough(self):
        assert "inactive" == Shop(below=0.2).day(10, 3).state

    def test_is_no_drop_while_people_still_have_time(self):
        shop = Shop(below=0.2).visit(100, 0)

        assert "too_few_users" == shop.wait(8).state
        assert "firing" == shop.wait(4).state

    def test_does_not_count_the_fast_ones_before_the_slow_ones(self):
        shop = Shop(below=0.5).visit(100, 40)

        assert {"too_few_users", "firing"} == {shop.wait(1).state for _ in range(14)}

    def test_of_few_people_is_unknown(self):
        assert "too_few_users" == Shop(below=0.2).day(1, 0).state

    def test_of_steps_that_came_in_another_order_is_none(self):
        judge = Judge("funnel_drop", **WAY, below=0.5)
        at = judge.now
        orders = [Event(time=at + 9, name="order", user_id=f"u{n}") for n in range(50)]
        views = [Event(time=at + 5, name="view", user_id=f"u{n}") for n in range(50)]
        judge.see(events=orders).see(120, events=views)

        assert "inactive" == judge.wait(700).state

    def test_goes_through_all_services_and_each_environment(self):
        shop = Shop(below=0.5)
        for place in ("prod", "test"):
            shop.judge.see(events=[Event(name="view", user_id="u")], environment=place)
        shop.judge.see(events=[Event(name="other", user_id="u"), Event(name="view")])

        assert [{"environment": "prod"}, {"environment": "test"}] == [
            cell.labels for cell in shop.judge.cells.values()
        ]

    def test_looks_at_attributes(self):
        steps = ["view", {"name": "order", "where": {"paid": "yes"}}]
        paid, not_paid = Shop(below=0.2, steps=steps), Shop(below=0.2, steps=steps)
        for _ in range(30):
            paid.visit(10, 5, paid="yes")
            not_paid.visit(10, 5)

        assert ["inactive", "firing"] == [paid.state, not_paid.state]

    def test_may_be_of_sessions(self):
        judge = Judge("funnel_drop", **WAY | {"by": "session"}, below=0.5)
        names = {"view": "", "order": "ann"}
        for name, user in names.items():
            told = [Event(name=name, user_id=user, session_id=f"s{n}") for n in range(50)]
            judge.see(events=told)

        assert "inactive" == judge.wait(700).state


class TestBaseline:
    def test_is_what_a_drop_is_told_against(self):
        shop = Shop(drop=30, baseline="30m").day(20, 10, minutes=60)
        before = shop.state

        shop.day(20, 5, minutes=25)

        assert ["inactive", "firing"] == [before, shop.state]
        expected = "25 % of 200 users came from view to order; 30m before it was 50 % of 200"
        assert expected == shop.judge.cell.text

    def test_is_unknown_in_the_beginning(self):
        assert "no_baseline" == Shop(drop=30, baseline="30m").day(20, 10).state

    def test_is_not_needed_where_the_floor_decides(self):
        assert "firing" == Shop(drop=30, below=0.6, baseline="30m").day(20, 10).state

    def test_is_not_left_by_chance(self):
        shop = Shop(drop=30, baseline="30m").day(20, 1, minutes=40)

        for minute in range(25):
            shop.visit(20, minute % 3 > 0)

        assert "inactive" == shop.state


class TestOptions:
    @pytest.mark.parametrize(
        ("wrong", "option"),
        [
            ({"steps": ["view"]}, "steps"),
            ({"steps": ["view", {"nam": "order"}]}, "steps"),
            ({"below": None}, "below"),
            ({"below": 20}, "below"),
            ({"drop": 0}, "drop"),
            ({"drop": 0.3}, "drop: is in percent, from 0 to 100: did you mean 30?"),
            ({"within": 0}, "within"),
            ({"window": 0}, "window"),
            ({"baseline": "5m"}, "baseline"),
            ({"minimum": 0}, "minimum"),
            ({"by": "device"}, "by"),
        ],
    )
    def test_that_are_wrong_are_named(self, wrong, option):
        with pytest.raises(ConfigError, match=rf"funnel_drop\.{re.escape(option)}"):
            RULES.build("funnel_drop", WAY | {"below": 0.5} | wrong)
