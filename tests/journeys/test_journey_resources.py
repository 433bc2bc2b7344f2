"""What is said of who speaks, by the program and by `enrich`, can be asked for."""

from __future__ import annotations

import json

CONFIG = """
[http]
listen = "127.0.0.1:0"
[samplers]
enabled = false
[[processors]]
kind = "enrich"
attributes = { team = "till" }
"""
BY_TEAM = """
SELECT r.attributes['team'] AS team, sum(value) AS orders
FROM points JOIN resources r USING (process) WHERE metric = 'orders' GROUP BY team
"""


class TestResources:
    def test_are_asked_for_by_what_enrich_added(self, home):
        file = home.directory / "qmon.toml"
        file.write_text(CONFIG)
        home.start("--config", str(file))

        home.send("shop")

        home.until(lambda: json.loads(home.command("query", BY_TEAM, "--json").stdout)["rows"])
        assert [{"team": "till", "orders": 1.0}] == home.ask("query", BY_TEAM)["rows"]
