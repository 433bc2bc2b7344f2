"""What the demo says, in words for people."""

from __future__ import annotations

import json

import pytest

from qmon_agent.cli.demo_facts import stack_of
from qmon_agent.cli.demo_view import many


def frame(module, **more):
    return {"module": module, "line": 7, "function": "pay", "in_app": False, **more}


def stack(*frames):
    return json.dumps({"chain": [{"frames": frames}]})


class TestStacks:
    def test_show_the_shop_though_it_is_installed_among_the_libraries(self):
        shop = frame("qmon_agent.cli.demo_shop.till", code="  1 / 0\n")

        assert stack_of(stack(frame("flask.app"), shop)) == [
            "qmon_agent.cli.demo_shop.till:7 in pay: 1 / 0"
        ]

    def test_of_nothing_are_empty(self):
        assert stack_of("{}") == []


@pytest.mark.parametrize(("number", "said"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors")])
def test_one_is_not_many(number, said):
    assert many(number, "error") == said
