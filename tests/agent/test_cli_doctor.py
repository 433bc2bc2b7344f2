"""Doctor: a line for every kind of plug-in, and what to do next where something is wrong."""

from __future__ import annotations

import json
import re
import time

import pytest

from qmon_agent.cli._rooms import rooms
from qmon_agent.cli.doctor import _hung, findings
from qmon_agent.cli.status import _lines
from qmon_agent.settings import find_locations

KINDS = ("loops", "processors", "sinks", "samplers", "probes", "channels", "alerts", "heartbeat")


@pytest.fixture
async def status(agent):
    return await agent.desk.status()


def lines(status):
    return {each.what: each for each in rooms(status)}


class TestRooms:
    async def test_have_a_line_for_every_kind(self, status):
        found = lines(status)

        assert {*KINDS, "source unix"} <= found.keys()
        assert all(each.detail and each.verdict == "ok" for each in found.values())

    async def test_say_what_to_add_where_nobody_is_told(self, status):
        status["rules"]["never_matched"] = ["queue is long"]

        channels = lines(status)["channels"]

        assert ("warn", True) == (channels.verdict, "add [channels.NAME]" in channels.detail)

    async def test_say_what_is_lost_in_damaged_segments(self, status):
        status["store"]["damaged_rows"] = {"spans": 100, "logs": 2}

        found = lines(status)["store"]

        assert ("warn", True) == (found.verdict, "100 of spans, 2 of logs" in found.detail)

    async def test_do_not_warn_of_what_somebody_asked_for(self, status):
        status["store"]["counts"] = {"hot_file_begun_anew": 1}

        found = lines(status)["store"]

        assert ("ok", True) == (found.verdict, "somebody was forgotten" in found.detail)

    async def test_name_a_loop_that_hangs(self, status):
        status["loops"]["journal"] = "stuck in one turn for 61 s"

        found = lines(status)["loop journal"]

        assert ("fail", True) == (found.verdict, "stuck in one turn" in found.detail)

    async def test_say_what_to_look_at_when_a_sink_takes_nothing(self, status):
        status["sinks"]["loki"] = {"lag": 3, "breaker": "open", "error": "HTTP 401"}

        assert "do its address and token fit?" in lines(status)["sink loki"].detail

    async def test_warn_of_a_sink_that_is_refused_some_of_it(self, status):
        told = {"lag": 0, "breaker": "closed", "error": "", "trouble": "3 of 9 were refused"}
        status["sinks"]["loki"] = told

        found = lines(status)["sink loki"]

        assert ("warn", "lag 0, breaker closed; 3 of 9 were refused") == (
            found.verdict,
            found.detail,
        )

    async def test_warn_of_a_gateway_that_is_not_there(self, status):
        told = {"a": "ok", "b": "the connection was refused: nothing listens there"}
        status["sinks"]["up"] = {"lag": 0, "breaker": "closed", "error": "", "gateways": told}

        found = lines(status)["sink up"]

        assert "warn" == found.verdict
        assert found.detail.endswith("; the others are sent what was for b")

    async def test_name_samplers_that_are_switched_off(self, status):
        status["samplers"] = {"cpu": {"disabled": True, "absent": ""}}

        assert "switched off: cpu; mend" in lines(status)["samplers"].detail

    async def test_tell_of_messages_that_nobody_took(self, status):
        status["channels"] = {"pager": "webhook"}
        status["vitals"]['notify_dead{channel="pager"}'] = 2.0

        assert ("warn", "webhook, sent 0, dead 2") == (
            lines(status)["channel pager"].verdict,
            lines(status)["channel pager"].detail.partition(";")[0],
        )

    async def test_tell_of_a_heartbeat_that_nobody_takes(self, status):
        told = {"to": "https://hc", "monitor": "", "sent": 0, "withheld": 0}
        status["heartbeat"] = {**told, "error": "https://hc: HTTP 404"}

        assert "https://hc: HTTP 404; is its address right?" == lines(status)["heartbeat"].detail

    async def test_warn_of_a_source_in_trouble(self, status):
        status["sources"]["nats"] = {
            "servers": ["a", "b"],
            "state": "no stream keeps x",
            "trouble": "create one",
        }

        found = lines(status)["source nats"]

        assert ("warn", "servers a b, state no stream keeps x; create one") == (
            found.verdict,
            found.detail,
        )

    async def test_tell_who_was_turned_away_within_the_hour(self, status):
        away = {"requests": 9, "senders": 3, "last_from": "ip:10.0.0.9", "last_s": 4.2}
        status["turned_away"] = [
            {"reason": "wrong_token", **away},
            {"reason": "host", **away, "last_s": 4000.0},
        ]
        told = "3 senders were turned away: wrong token (9 times); last from ip:10.0.0.9 4 s ago"

        found = [each.detail for each in rooms(status) if each.what == "senders"]

        assert [f"{told}; `qmon-agent token create` makes another"] == found


class TestStatus:
    async def test_is_written_for_people(self, agent):
        shown = "\n".join(_lines(await agent.desk.status()))

        assert shown.startswith("well: pid")
        assert not re.findall(r"[\[{]['\]}]|True|False|None", shown)

    async def test_names_sources_in_trouble_in_its_first_line(self, status):
        status["sources"]["statsd"] = {"lost_datagrams": 6506, "trouble": "datagrams were lost"}

        first, *others = _lines(status)

        assert first.startswith("well, but see source statsd: pid")
        assert "source statsd: lost datagrams 6506; datagrams were lost" in others

    async def test_names_sinks_that_are_refused_some_in_its_first_line(self, status):
        status["sinks"]["loki"] = {"lag": 0, "trouble": "1 of 99 signals were refused"}

        first, *others = _lines(status)

        assert first.startswith("well, but see sink loki: pid")
        assert "sink loki: lag 0; 1 of 99 signals were refused" in others


class TestHungAgent:
    @pytest.fixture
    def locations(self, tmp_path):
        written = {"pid": 7, "time": time.time(), "loops": {"rules": "no tick for 31 s"}}
        (tmp_path / "hung.json").write_text(json.dumps(written))
        return find_locations(state=str(tmp_path))

    def test_is_named_when_nobody_answers(self, locations):
        found = {each.what: each.detail for each in findings(locations)}

        assert "rules (no tick for 31 s)" in found["watchdog"]

    def test_is_not_named_twice_by_one_that_answers(self, locations):
        assert [] == [*_hung(locations, pid=7)]

    @pytest.mark.parametrize(
        "written", ["", "[]", "{}", '{"loops": 3}', '{"loops": {}, "time": []}']
    )
    def test_that_wrote_nonsense_harms_nobody(self, locations, written):
        locations.hung.write_text(written)

        assert [] == [*_hung(locations, pid=0)]
