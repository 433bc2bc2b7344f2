"""Reload at its edges: whatever is wrong, what was in force stays in force, and says so."""

from __future__ import annotations

import socket

import pytest

from qmon_agent.app import Agent, make_plan
from qmon_agent.settings import find_locations
from qmon_agent.settings.claim import Claim

QUIET = '[http]\nlisten = "127.0.0.1:0"\n[samplers]\nenabled = false\n'
WRONG = {
    "cut in the middle": (QUIET + '[sources.tcp]\nlisten = "127.0', "not TOML"),
    "cut after a key": (QUIET + "[sources.tcp]\nenabled =", "not TOML"),
    "no text": (b"\xff\xfe\x00", "not TOML"),
    "an unknown section": (QUIET + "[source.tcp]\n", "did you mean 'sources'"),
    "an unknown source": (QUIET + "[sources.tpc]\n", "did you mean 'tcp'"),
    "an unknown key": (QUIET + "[sources.tcp]\nlisen = 1\n", "did you mean 'listen'"),
    "an unknown sink": (QUIET + "[sinks.lok]\n", "'loki'"),
    "an unknown probe": (QUIET + '[[probes]]\nname = "a"\nkind = "htp"\n', "'http'"),
    "an unknown channel": (QUIET + "[channels.webhok]\n", "'webhook'"),
    "an unknown rule": (QUIET + '[[alerts]]\nname = "a"\nrule = "absense"\n', "'absence'"),
    "an unknown sampler": ('[samplers]\nonly = ["cpuu"]\n', "'cpu'"),
    "a heartbeat that cannot be": (QUIET + '[heartbeat]\nurl = "ftp://h"\n', "heartbeat.url"),
}


@pytest.fixture
async def reloaded(agent):
    """Writes the file anew, and answers what a reload says to it."""

    async def reload(text):
        content = text if isinstance(text, bytes) else text.encode()
        agent._plan.locations.config.write_bytes(content)
        return await agent.services.reload()

    return reload


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class TestWrongFile:
    async def test_is_told_with_all_that_is_wrong_and_what_tells_it_better(self, reloaded):
        said = await reloaded("[http]\nlisen = 1\n[sinks.lok]\n[sources.tcp]\nlisen = 1\n")

        assert all(path in said for path in ("http.lisen", "sinks.lok", "sources.tcp.lisen"))
        assert said.endswith("; `qmon-agent check-config` tells it line by line")

    @pytest.mark.parametrize("name", WRONG)
    async def test_changes_nothing_and_is_told(self, agent, reloaded, name):
        text, words = WRONG[name]
        before = dict(agent._config.plugins.sources)

        said = await reloaded(text)

        assert said.startswith("not reloaded, the last good configuration stays: ")
        assert words in said
        assert (1, before) == (agent._config.generation, agent._config.plugins.sources)
        assert any(
            "config: the file is wrong" in p for p in (await agent.desk.status())["problems"]
        )

    async def test_that_is_gone_changes_nothing(self, agent):
        agent._plan.locations.config.unlink()

        assert (await agent.services.reload()).endswith(
            "qmon.toml: the file is gone; an empty one in its place means the defaults"
        )

    async def test_that_is_gone_and_then_empty_leads_to_the_defaults(self, agent, reloaded):
        await reloaded(QUIET + '[[alerts]]\nname = "a"\nmetric = "m"\nthreshold = "> 1"\n')
        agent._plan.locations.config.unlink()
        await agent.services.reload()

        assert "reloaded: configuration generation 3" == await reloaded("")
        assert () == agent._config.settings.alerts

    async def test_that_is_a_directory_changes_nothing(self, agent):
        agent._plan.locations.config.unlink()
        agent._plan.locations.config.mkdir()

        assert "Is a directory" in await agent.services.reload()


@pytest.fixture
async def bare(tmp_path):
    """An agent that was started without a file."""
    state = tmp_path / "state"
    state.mkdir()
    locations = find_locations(state=str(state), socket=str(tmp_path / "agent.sock"), environ={})
    claim = Claim(locations.lock)
    agent = Agent(make_plan(locations, with_store=False, http="127.0.0.1:0"))
    await agent.start()
    await agent.settle()
    agent.file = state / "qmon.toml"
    yield agent
    await agent.stop()
    claim.release()


class TestFileThatWasNotThere:
    async def test_has_not_changed_with_the_folder_the_agent_stands_in(self, bare, monkeypatch):
        monkeypatch.chdir(bare.file.parent)
        bare.file.with_name("something.else").touch()

        assert not bare._config.describe()["config"]["changed"]

    async def test_is_put_in_force_when_it_has_come(self, bare):
        bare.file.write_text(QUIET)
        noticed = bare._config.describe()["config"]["changed"]

        assert "reloaded: configuration generation 2" == await bare.services.reload()
        assert (True, str(bare.file)) == (noticed, bare._config.describe()["config"]["file"])
        assert not bare._config.settings.samplers.enabled

    async def test_is_refused_when_it_is_wrong(self, bare):
        bare.file.write_text("[http]\nlisen = 1\n")

        assert f"{bare.file}: http.lisen" in await bare.services.reload()
        assert ("", 1) == (bare._config.describe()["config"]["file"], bare._config.generation)

    async def test_may_go_again_when_it_never_was_in_force(self, bare):
        bare.file.write_text("nonsense")
        await bare.services.reload()
        bare.file.unlink()

        assert (await bare.services.reload()).endswith("2, no file: the defaults are in force")
        assert (await bare.desk.status())["well"]

    async def test_is_missed_once_it_was_in_force(self, bare):
        bare.file.write_text(QUIET)
        await bare.services.reload()
        bare.file.unlink()

        assert "the file is gone" in await bare.services.reload()
        assert not bare._config.settings.samplers.enabled


class TestAddressInUse:
    async def test_leaves_the_source_open_that_was(self, reloaded, free_port):
        old = QUIET + f'[sources.tcp]\nenabled = true\nlisten = "127.0.0.1:{free_port}"\n'
        await reloaded(old)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            said = await reloaded(old.replace(str(free_port), str(taken.getsockname()[1])))

        assert "in use" in said
        assert "check-config" not in said  # which cannot know
        assert answers(free_port)

    async def test_takes_back_what_had_been_exchanged_already(self, agent, reloaded, free_port):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            await reloaded(
                QUIET
                + f'[sources.statsd]\nenabled = true\nlisten = "127.0.0.1:{free_port}"\n'
                + f'[sources.otlp]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n'
                + '[[alerts]]\nname = "new"\nmetric = "m"\nthreshold = "> 1"\n'
            )

        assert "statsd" not in agent._config.plugins.sources
        alerts = agent.parts.judged.state.catalog.alerts()
        declared = [alert for alert in alerts if alert.created_by == "config"]
        assert [("new", "inactive")] == [(alert.name, alert.status) for alert in declared]

    async def test_is_forgotten_with_the_next_file_that_is_right(self, agent, reloaded):
        await reloaded("nonsense")

        assert "reloaded: configuration generation 2" == await reloaded(QUIET)
        assert (await agent.desk.status())["well"]


class TestChangedFile:
    async def test_is_told_until_it_is_read(self, agent, reloaded):
        assert not agent._config.describe()["config"]["changed"]
        agent._plan.locations.config.write_text(QUIET + "# more\n")
        changed = agent._config.describe()["config"]["changed"]
        await agent.services.reload()

        assert (True, False) == (changed, agent._config.describe()["config"]["changed"])

    async def test_that_is_wrong_is_read_all_the_same(self, agent, reloaded):
        await reloaded("nonsense")

        assert not agent._config.describe()["config"]["changed"]
