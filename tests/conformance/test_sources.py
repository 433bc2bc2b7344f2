"""What every way in promises, whoever wrote it; a new file is tested the moment it exists."""

from __future__ import annotations

import json

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.ingest.sources import SOURCES, Door
from qmon_agent.settings import Admission as AdmissionOptions
from qmon_agent.vitals import Vitals

# So that no two tests want the same port.
OPTIONS = {
    "otlp_grpc": {"listen": "127.0.0.1:0"},
    "tcp": {"listen": "127.0.0.1:0"},
    "statsd": {"listen": "127.0.0.1:0"},
}


@pytest.fixture
def door(tmp_path):
    """A door behind which nothing is kept: nobody sends anything here."""
    vitals = Vitals()
    return Door(
        intake=Intake(None, admission=Admission(AdmissionOptions()), vitals=vitals),
        vitals=vitals,
        socket=tmp_path / "agent.sock",
        spool=tmp_path / "spool",
        may_enter=lambda _: False,
    )


@pytest.fixture
async def source(name, door):
    source = SOURCES.build(name, {"enabled": True, **OPTIONS.get(name, {})})
    await source.start(door)
    yield source
    await source.stop()


@pytest.mark.parametrize("name", SOURCES.names())
class TestEverySource:
    def test_refuses_an_option_it_does_not_have(self, name):
        with pytest.raises(ConfigError, match=rf"sources\.{name}\.no_such"):
            SOURCES.build(name, {"no_such": 1})

    def test_can_be_switched_off(self, name):
        assert not SOURCES.build(name, {"enabled": False}).enabled

    def test_says_what_it_is_for(self, name):
        assert f"[sources.{name}]" in SOURCES.find(name).__doc__

    async def test_tells_where_it_is_in_words_fit_for_json(self, source):
        assert json.dumps(dict(source.describe()))

    async def test_stops_twice_as_well_as_once(self, source):
        await source.stop()
        await source.stop()

    async def test_starts_again_where_it_was(self, source, door):
        await source.stop()

        await source.start(door)

        assert source.describe()
