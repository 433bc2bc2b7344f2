"""What an alert would have done, asked of the agent in which it did it."""

from __future__ import annotations

ALERTS = """
[samplers]
enabled = false

[[alerts]]
name = "orders"
metric = "orders"
threshold = ">= 1"
"""


def spells(told):
    return [spell for trace in told["instances"] for spell in trace["spells"]]


def test_an_alert_would_have_done_what_it_did_while_the_agent_runs_and_after(home):
    home.state.mkdir()
    (home.state / "qmon.toml").write_text(ALERTS)
    agent = home.start()
    home.send("shop")
    home.until(lambda: home.ask("incidents")["incidents"])
    counted = "SELECT count(*) AS n FROM points WHERE metric = 'orders'"
    home.until(lambda: home.ask("query", counted)["rows"] == [{"n": 1}])
    incident = home.ask("incidents")["incidents"][0]["id"]

    running = home.ask("backtest", "orders", "--since", "1h")["alerts"][0]
    why = home.command("why", incident).stdout
    agent.terminate()
    agent.wait()
    stopped = home.ask("backtest", "orders", "--since", "1h")["alerts"][0]

    assert [1, 1] == [running["fired"], running["compared"]["both"]]
    assert spells(running) == spells(stopped) != []
    assert "nobody was told: there is no channel to tell" in why
