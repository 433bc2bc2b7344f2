"""What the commands say to people: moments and versions."""

import subprocess
import sys
from datetime import datetime

import pytest

from qmon_agent.cli._asking import not_stored
from qmon_agent.cli._times import NS, moment, with_moments

AT = 1_795_000_000 * NS
SECONDS = {0: "now", 59: "59 s ago", 180: "3 min ago", 7_200: "2 h ago", -90_000: "in 1 d"}


class TestMoments:
    @pytest.mark.parametrize("seconds", SECONDS)
    def test_tell_the_distance_from_now(self, seconds):
        assert moment(AT, now=AT + seconds * NS).endswith(f" ({SECONDS[seconds]})")

    def test_tell_the_local_time_with_its_zone(self):
        told = datetime.fromisoformat(moment(AT + 5, now=AT).partition(" (")[0])

        assert (AT // NS, True) == (told.timestamp(), told.tzinfo is not None)

    @pytest.mark.parametrize("nothing", [None, 0])
    def test_that_never_were_are_empty(self, nothing):
        assert "" == moment(nothing, now=AT)

    def test_beyond_the_calendar_stay_numbers(self):
        assert str(10**30) == moment(10**30, now=AT)

    def test_replace_only_what_they_are_asked_to(self):
        [row] = with_moments([{"id": "a", "since": AT, "value": AT}], ["since"])

        assert ("a", AT, "2026-11") == (row["id"], row["value"], row["since"][:7])


class TestAnAnswer:
    def test_says_what_of_the_journal_it_has_not(self):
        behind = not_stored({"stored_record": 5, "behind_records": 2})

        assert ["2 records of the journal are not stored yet"] == behind
        assert [] == not_stored({"stored_record": 7, "behind_records": 0}) == not_stored(None)


class TestHold:
    @pytest.mark.parametrize("whose", ["--user", "--service"])
    def test_of_a_name_that_is_empty_is_refused(self, whose):
        command = [sys.executable, "-m", "qmon_agent.cli", "hold", "add", whose, "", "--reason=x"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

        assert (2, True) == (done.returncode, "it is empty" in done.stderr)


class TestVersion:
    def test_is_said_by_a_checkout_too(self, tmp_path):
        # -I: only the standard library is found, and nothing that is installed beside it.
        program = (
            "import importlib.metadata as m, sys\n"
            f"sys.path[:0] = {[path for path in sys.path if path]!r}\n"
            "m.MetadataPathFinder.find_distributions = lambda *_, **__: iter(())\n"
            "from qmon_agent.cli import main; sys.argv = ['qmon-agent', '--version']; main()"
        )
        said = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=True,
        )

        assert said.stdout.startswith("qmon-agent, version ")


def said_by(tmp_path, *words, told=""):
    command = [sys.executable, "-m", "qmon_agent.cli", *words, "--state", str(tmp_path)]
    return subprocess.run(
        command, input=told, capture_output=True, text=True, cwd=tmp_path, check=False
    )


class TestTop:
    @pytest.mark.parametrize("interval", ["-1", "0", "nan", "inf"])
    def test_refuses_intervals_that_cannot_be(self, tmp_path, interval):
        said = said_by(tmp_path, "top", "--interval", interval)

        assert (2, True) == (said.returncode, "is not possible: 0.1 to 3600" in said.stderr)


class TestFlare:
    def test_says_that_nothing_was_written(self, tmp_path):
        said = said_by(tmp_path, "flare", told="n\n")

        assert (0, True) == (said.returncode, said.stdout.endswith("nothing was written\n"))
        assert not [*tmp_path.glob("qmon-flare*")]
