"""Integrations while the program runs: added, removed, and made with options."""

from __future__ import annotations

import subprocess
import sys

from qmon_sdk.client import current
from qmon_sdk.integrations import add, remove
from qmon_sdk.integrations.subprocess import SubprocessIntegration
from qmon_sdk.start import shutdown, stats


def run():
    subprocess.run([sys.executable, "-S", "-c", ""], check=True)


class TestAdd:
    def test_begins_to_watch(self, told):
        add("subprocess")
        run()

        assert 1 == len(told.spans)
        assert {"subprocess": "watching"} == stats().integrations

    def test_takes_the_place_of_the_one_before(self, told):
        add("subprocess")
        add(SubprocessIntegration(pass_trace=True))
        run()

        assert 1 == len(told.spans)

    def test_of_what_is_unknown_says_so(self, told):
        add("flsk")

        assert "did you mean 'flask'" in stats().integrations["flsk"]

    def test_does_nothing_while_nobody_records(self, told):
        shutdown(timeout=0)

        add("subprocess")

        assert {} == current().integrations


class TestRemove:
    def test_leaves_the_library_as_it_was(self, told):
        before = subprocess.Popen.__init__
        add("subprocess")
        assert before is not subprocess.Popen.__init__

        remove("subprocess")

        assert before is subprocess.Popen.__init__
        assert {} == stats().integrations

    def test_of_what_is_not_watched_does_nothing(self, told):
        remove("flask")


class TestOptions:
    def test_win_over_the_name(self, told):
        told.begin(integrations=("auto", SubprocessIntegration(pass_trace=True), "-gc"))

        assert "gc" not in stats().integrations
        assert "watching" == stats().integrations["subprocess"]
