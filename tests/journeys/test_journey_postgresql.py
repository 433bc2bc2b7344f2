"""An agent on PostgreSQL: before its server is there, while that is away, beside another."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def at(home, mortal_place):
    """Writes a configuration for each of several agents on one state."""

    def write(name="usual"):
        file = home.directory / f"{name}.toml"
        file.write_text(
            f'[store]\nstate = "{mortal_place.dsn}"\n[samplers]\nenabled = false\n'
            '[[alerts]]\nname = "many"\nmetric = "orders"\nthreshold = "> 0"\n'
        )
        return ("--config", str(file), "--no-store")

    return write


def firing(home):
    return [each["alert_name"] for each in home.ask("incidents").get("incidents", ())]


class TestAnAgent:
    def test_takes_before_its_server_is_there_and_judges_when_it_is(self, home, at, mortal_place):
        mortal_place.server.kill()
        agent = home.start(*at())

        home.send("shop")
        home.until(lambda: "cannot be opened" in home.command("status").stderr)
        mortal_place.server.start_again()

        home.until(lambda: "many" in firing(home))
        assert agent.poll() is None
        assert "postgresql" == home.ask("status")["state_store"]["engine"]

    def test_is_stopped_while_it_waits_for_it(self, home, at, mortal_place):
        mortal_place.server.kill()
        agent = home.start(*at())
        home.until(lambda: "cannot be opened" in home.command("status").stderr)

        agent.send_signal(signal.SIGTERM)

        assert 0 == agent.wait(20)

    def test_goes_on_while_it_is_away_and_says_so(self, home, at, mortal_place):
        home.start(*at())
        home.until(lambda: home.ask("status")["well"])
        mortal_place.server.kill()

        home.send("shop")
        home.until(lambda: "cannot be reached" in home.command("status").stdout)
        for words in (at()[:2], ()):  # named, or of the agent that runs
            assert "cannot be reached" in home.command("doctor", *words).stdout
        mortal_place.server.start_again()

        home.until(lambda: "many" in firing(home))
        home.until(lambda: home.ask("status")["well"])

    def test_answers_from_the_signals_while_it_is_away(self, home, at, mortal_place):
        home.start(*at()[:2])
        home.send("shop")
        home.until(lambda: home.ask("status")["well"])
        mortal_place.server.kill()
        home.until(lambda: "cannot be reached" in home.command("status").stdout)

        counted = home.command("query", "SELECT count(*) AS n FROM spans", "--json")
        refused = [
            home.command(*words)
            for words in (("hold", "list"), ("forget", "ann"), ("query", "FROM alerts"))
        ]

        assert 0 == counted.returncode, counted.stderr
        for each in refused:
            assert 2 == each.returncode
            assert "the state database cannot be reached" in each.stderr
            assert "sqlalche" not in each.stderr

    def test_goes_on_while_it_is_stopped_and_judges_what_came_meanwhile(
        self, home, at, mortal_place
    ):
        home.start(*at())
        home.until(lambda: home.ask("status")["well"])
        mortal_place.server.send(signal.SIGSTOP)

        home.send("shop")
        home.until(lambda: "cannot be reached" in home.command("status").stdout)
        mortal_place.server.send(signal.SIGCONT)

        home.until(lambda: "many" in firing(home))
        home.until(lambda: home.ask("status")["well"])

    def test_that_is_the_second_says_who_is_the_first(self, home, at):
        first = home.start(*at())
        home.until(lambda: home.ask("status")["well"])

        places = {"--state": home.directory / "other", "--socket": home.directory / "other.sock"}
        second = home.start(*at("other"), *(str(word) for pair in places.items() for word in pair))

        assert 3 == second.wait(30)
        told = second.stderr.read()
        assert f"process {first.pid}, {home.state}" in told
        assert "[store] state" in told
