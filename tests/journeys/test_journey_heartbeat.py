"""One agent dies, and another says so: check-ins through the native sink, missed by a rule."""

from __future__ import annotations

BEATING = """
[samplers]
enabled = false
[heartbeat]
monitor = "agent of eu-1"
interval_s = 1
[sinks.native]
endpoint = "{url}"
token = "{token}"
"""
WATCHING = """
[samplers]
enabled = false
[[alerts]]
name = "an agent is silent"
rule = "missed_checkin"
system = "qmon-agent"
"""


def firing(home):
    found = home.ask("incidents", "--state", str(home.state))["incidents"]
    return [each["alert_name"] for each in found if each["state"] == "firing"]


class TestHeartbeat:
    def test_of_an_agent_that_is_killed_is_missed_by_another(self, home):
        watching = home.directory / "watching.toml"
        watching.write_text(WATCHING)
        other = home.start("--config", str(watching), "--no-store")
        url = other.ready.split("url=")[1].split()[0]
        token = home.ask("token", "create", "--scope", "ingest")["token"]
        beating = home.directory / "beating.toml"
        beating.write_text(BEATING.format(url=url, token=token))
        place = {"QMON_STATE_DIR": str(home.directory / "eu-1")}
        place["QMON_SOCKET"] = str(home.directory / "eu-1.sock")
        agent = home.start("--config", str(beating), "--no-store", **place)

        home.until(lambda: home.ask("status")["conservation"]["received"])
        assert [] == firing(home)
        agent.kill()

        home.until(lambda: firing(home) == ["an agent is silent"])
