"""Questions by name: by the command, on an agent that runs and on what it left."""

from __future__ import annotations

import signal

PATIENCE_S = 30.0
REQUESTS = """
import qmon_sdk as qmon
qmon.init(service="till")
for _ in range(7):
    with qmon.span("GET /prices", kind="server"):
        pass
assert qmon.flush(5)
"""


def requests_in(answer):
    return sum(row["requests"] for row in answer["rows"])


class TestAsking:
    def test_is_answered_by_a_running_agent_and_by_what_it_left(self, home):
        agent = home.start()
        home.program(REQUESTS)
        asked = ("ask", "requests_by_route", "--service=till", "--since", "1h")
        home.until(lambda: requests_in(home.ask(*asked)) == 7)
        running = home.ask("query", "SELECT 1 AS n")
        agent.send_signal(signal.SIGTERM)
        agent.wait(PATIENCE_S)

        left, stopped = home.ask(*asked), home.ask("query", "SELECT 1 AS n")

        assert running["freshness"]["stored_record"] > 0
        assert (7, None, None) == (requests_in(left), left["freshness"], stopped["freshness"])
        assert [("till", "GET /prices")] == [*{(r["service"], r["route"]) for r in left["rows"]}]

    def test_shows_a_line_for_each_series_or_every_row(self, home):
        home.start()
        home.program(REQUESTS)
        asked = ("ask", "latency_by_route", "--service", "till")
        home.until(lambda: "GET /prices" in home.command(*asked).stdout)

        drawn, rows = home.command(*asked), home.command(*asked, "--rows")

        assert drawn.stdout.split()[:3] == ["service", "route", "p95_ms"]
        assert "▁" in drawn.stdout
        assert "p99_ms" in rows.stdout
        assert "of raw rows, exact" in drawn.stderr

    def test_names_what_is_wrong(self, home):
        home.start()
        wrong = home.command("ask", "error_groups", "--tpo", "3")
        nobody = home.command("ask", "eror_groups")
        told = home.ask("ask", "error_groups", "--top", "0")["error"]

        assert (2, True) == (wrong.returncode, "did you mean 'top'" in wrong.stderr)
        assert (2, True) == (nobody.returncode, "error_groups" in nobody.stderr)
        assert ("QueryError", "top") == (told["type"], told["field"])

    def test_tells_the_plan_and_what_may_be_asked(self, home):
        home.start()

        assert "errors" in home.command("ask", "error_groups", "--explain").stdout
        assert "--trace-id" in home.command("ask").stdout
        assert "logs_search" in [each["name"] for each in home.ask("ask")["questions"]]
