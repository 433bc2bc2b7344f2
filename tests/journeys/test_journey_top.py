"""`qmon-agent top` as people and programs call it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time


def on_a_terminal(home, *arguments):
    """The command on a terminal of its own, and our end of it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "qmon_agent.cli", *arguments]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=home.environment,
        preexec_fn=_hears,  # noqa: PLW1509 - it sets one signal, and no thread runs here
    )
    os.close(theirs)
    return process, ours


def _hears():
    # Background jobs of a shell ignore it, and so would we.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def read_until(place, *wanted, seconds=30):
    heard, deadline = "", time.monotonic() + seconds
    while not all(word in heard for word in wanted):
        assert time.monotonic() < deadline, heard
        heard += os.read(place, 1 << 16).decode("utf-8", "replace")
    return heard


class TestTop:
    def test_shows_once_who_sends_and_answers_programs_in_json(self, home):
        home.start()
        home.send("shop")

        answer = home.command("top", "--once", "--interval", "0.2")
        shown = home.ask("top", "--interval", "0.2")

        assert "shop" in answer.stdout
        assert "SERVICES" in answer.stdout
        assert (1, True) == (shown["version"], shown["seconds"] >= 0.2)
        assert "shop" in [row["name"] for row in shown["services"]]

    def test_redraws_a_terminal_until_it_is_interrupted_and_gives_it_back(self, home):
        home.start()

        process, place = on_a_terminal(home, "top", "--interval", "0.2")
        read_until(place, "\x1b[?1049h", "host: cpu")
        read_until(place, "host: cpu")
        process.send_signal(signal.SIGINT)
        read_until(place, "\x1b[?1049l")

        assert 0 == process.wait(30)
        os.close(place)
