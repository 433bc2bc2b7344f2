"""Commands beside an agent that is starting, stopping, or was killed: they wait, or say which."""

import json
import threading

import pytest

from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.settings import find_locations
from qmon_agent.settings.claim import Claim


@pytest.fixture
def locations(tmp_path):
    return find_locations(state=str(tmp_path / "state"))


@pytest.fixture
def claim(locations):
    claim = Claim(locations.lock)
    yield claim
    claim.release()


def begin(locations):
    locations.whereabouts.write_text(json.dumps({"pid": 7, "control": "/there"}))


class TestAnAgentThatStarts:
    def test_is_waited_for_with_a_word(self, locations, claim, capfd):
        waiting = threading.Timer(0.2, begin, [locations])
        waiting.start()

        find_control(locations)

        assert locations.whereabouts.exists()
        said = f"the agent in {locations.state} is starting: waiting for it\n"
        assert said == capfd.readouterr().err

    def test_is_not_spoken_of_when_it_has_its_doors(self, locations, claim, capfd):
        begin(locations)
        find_control(locations)

        assert "" == capfd.readouterr().err

    def test_is_nobody_once_it_has_given_up(self, locations):
        claim = Claim(locations.lock)
        threading.Timer(0.2, claim.release).start()

        with pytest.raises(UnreachableError, match="no agent runs in"):
            find_control(locations)


class TestAnAgentThatWasKilled:
    def test_is_named(self, locations):
        Claim(locations.lock).release()
        begin(locations)

        with pytest.raises(UnreachableError, match="the last one, process 7, was killed"):
            find_control(locations)
