"""`qmon-agent tail` beside a running agent: the newest, what comes in, and an end by Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

SAYS = """
import sys, qmon_sdk as qmon
qmon.init()
for word in sys.argv[1:]:
    qmon.capture_message(word)
qmon.shutdown(10)
"""


@pytest.fixture
def watched(home):
    """A running agent with a store, and programs that say something to it."""
    home.start()

    def say(*words):
        subprocess.run([sys.executable, "-c", SAYS, *words], check=True, env=home.environment)

    home.say = say
    return home


def following(home, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "qmon_agent.cli", "tail", *words],
        stdout=subprocess.PIPE,
        # Whoever runs the tests may ignore it, and then a child of theirs does.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread
        stderr=subprocess.PIPE,
        text=True,
        env=home.environment,
    )


def messages(text):
    return [json.loads(line)["message"] for line in text.splitlines()]


class TestTail:
    def test_shows_the_newest_oldest_first(self, watched):
        watched.say("one", "two", "three")
        newest = ("tail", "errors", "--no-follow", "--json", "-n", "2")
        watched.until(lambda: len(watched.command(*newest).stdout.splitlines()) == 2)

        assert ["two", "three"] == messages(watched.command(*newest).stdout)

    def test_goes_on_with_what_comes_in_until_it_is_interrupted(self, watched):
        watched.say("before")
        watched.until(lambda: "before" in watched.command("tail", "--no-follow").stdout)
        tail = following(watched, "error", "--json")
        first = tail.stdout.readline()
        watched.say("after", "later")
        rest = tail.stdout.readline() + tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        tail.communicate(timeout=30)

        assert ["before", "after", "later"] == messages(first + rest)
        assert 0 == tail.returncode

    def test_shows_only_what_is_asked_for(self, watched):
        watched.say("red", "blue")
        words = ("tail", "errors", "--no-follow", "--json", "--where", "message LIKE 'b%' -- so")
        watched.until(lambda: watched.command(*words).stdout)

        assert ["blue"] == messages(watched.command(*words).stdout)

    def test_says_what_is_wrong_with_a_condition(self, watched):
        done = watched.command("tail", "errors", "--where", "no_such > 1")

        assert 2 == done.returncode
        assert "no_such" in done.stderr

    def test_names_the_signal_that_was_meant(self, watched):
        done = watched.command("tail", "erors")

        assert 2 == done.returncode
        assert "did you mean 'errors'" in done.stderr

    def test_ends_when_nobody_reads_it(self, watched):
        tail = following(watched, "errors", "--json")
        tail.stdout.close()
        watched.say("into the void")

        assert 0 == tail.wait(60)
        tail.stderr.close()

    def test_reads_what_a_stopped_agent_left(self, watched):
        watched.say("left")
        newest = ("tail", "errors", "--no-follow", "--json")
        watched.until(lambda: watched.command(*newest).stdout)
        for agent in watched.agents:
            agent.terminate()
            agent.wait(30)

        assert ["left"] == messages(watched.command(*newest).stdout)
