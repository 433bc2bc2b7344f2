"""Stacks that come as text: of Python, JavaScript and Java, and what is none of them."""

from __future__ import annotations

import traceback

import pytest

from qmon_agent.ingest.grouping import culprit_of, key_of
from qmon_agent.ingest.tracebacks import chain_of

JAVASCRIPT = """TypeError: no plan
    at charge (/app/shop.js:10:5)
    at Module.run (node:internal/modules/cjs/loader:1105:14)
    at file:///app/index.js:3:1"""
JAVA = """java.lang.IllegalStateException: no plan
\tat com.shop.Checkout.charge(Checkout.java:42)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: com.shop.NoPlan: pro
\tat com.shop.Plans.find(Plans.java:7)
\t... 2 more"""


def fail(number):
    try:
        raise KeyError(number)
    except KeyError as cause:
        raise ValueError("no plan") from cause


def raised(number):
    try:
        fail(number)
    except ValueError:
        return traceback.format_exc()


def places(link):
    return [(frame["function"], frame["line"], frame["in_app"]) for frame in link["frames"]]


class TestPython:
    def test_tells_frames_from_the_outside_in_with_their_lines(self):
        own, _ = chain_of(raised(1), kind="ValueError", value="no plan")

        assert ["raised", "fail"] == [frame["function"] for frame in own["frames"]]
        assert 'raise ValueError("no plan") from cause' == own["frames"][-1]["code"]
        assert "test_foreign_tracebacks.fail" == culprit_of(own["frames"])

    def test_tells_what_led_to_it_behind_it(self):
        own, cause = chain_of(raised(1), kind="", value="")

        assert [("ValueError", "no plan"), ("KeyError", "1")] == [
            (link["type"], link["value"]) for link in (own, cause)
        ]
        assert "cause" == cause["relation"]

    def test_groups_by_way_and_not_by_message(self):
        first, second = (chain_of(raised(n), kind="ValueError", value=f"{n}") for n in (1, 2))

        assert key_of(first) == key_of(second)
        assert key_of(first) != key_of(chain_of(raised(1), kind="OSError", value="1"))

    def test_keeps_both_ends_of_a_deep_stack(self):
        deep = "\n".join(f'  File "/app/a.py", line {n}, in f' for n in range(1000))
        text = f"Traceback (most recent call last):\n{deep}\nRecursionError: too deep"
        (own,) = chain_of(text, kind="RecursionError", value="too deep")

        assert (60, 0, 999) == (
            len(own["frames"]),
            own["frames"][0]["line"],
            own["frames"][-1]["line"],
        )
        assert 940 == own["omitted"]


class TestOthers:
    def test_of_javascript_are_turned_round(self):
        (own,) = chain_of(JAVASCRIPT, kind="TypeError", value="no plan")

        assert [("/app/index.js", 3), ("charge", 10)] == [
            (frame["function"] or frame["file"], frame["line"])
            for frame in own["frames"]
            if frame["in_app"]
        ]
        assert "charge" == culprit_of(own["frames"])

    def test_of_java_tell_the_cause_and_the_classes(self):
        own, cause = chain_of(JAVA, kind="java.lang.IllegalStateException", value="no plan")

        assert ("IllegalStateException", "java.lang") == (own["type"], own["module"])
        assert ("com.shop.Checkout.charge", "com.shop.Plans.find") == (
            culprit_of(own["frames"]),
            culprit_of(cause["frames"]),
        )
        assert ("NoPlan", "pro", "cause") == (cause["type"], cause["value"], cause["relation"])
        assert [False, True] == [frame["in_app"] for frame in own["frames"]]

    @pytest.mark.parametrize("text", ["", "no stack at all", "\n\n at", 'File "x", line 1, in y'])
    def test_of_no_known_form_are_kept_as_they_are(self, text):
        (own,) = chain_of(text, kind="Oops", value="it broke")

        assert ("Oops", "it broke", []) == (own["type"], own["value"], own["frames"])
        assert text == own.get("text", "")
