"""Reasons of transitions in words: all that rules and people cause, and what is new as it is."""

import pytest

from qmon_agent.app.reason_words import in_words


class TestReasons:
    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            ("breach_held", "its condition has held for as long as it says"),
            ("unknown:no_data", "nothing is known: no_data"),
            ("flapping:clear", "not told, as it flaps: its condition holds no more"),
            ("severity_raised:critical", "it got worse: critical"),
            ("acknowledged", "acknowledged"),
            ("something:new", "something:new"),
            ("", ""),
        ],
    )
    def test_are_said_in_words(self, reason, words):
        assert words == in_words(reason)
