"""Security events: counted by who and by where from, and told without an attacker's words."""

import json

import pytest

from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.errors import ConfigError
from qmon_sdk.protocol.signals import Event, Log
from tests.agent.test_alerting_kinds import Judge


def failed(n=1, user="ann", source="203.0.113.7", name="authn_login_fail"):
    return [Event(name=name, user_id=user, attributes={"client.address": source})] * n


def firing(judge):
    cells = [cell for cell in judge.cells.values() if cell.episode.state == "firing"]
    return sorted(cell.labels.get("source") or cell.labels.get("user", "") for cell in cells)


class TestSecurityIncident:
    def test_is_told_of_the_user_and_of_the_source(self):
        judge = Judge("security_incident").see(events=failed(10))

        texts = sorted(cell.text for cell in judge.cells.values())
        assert texts == [
            "10 times in 10m: authn_login_fail from 203.0.113.7",
            "10 times in 10m: authn_login_fail of user ann",
        ]
        assert {"critical"} == {cell.severity for cell in judge.cells.values()}

    def test_is_one_address_that_tries_many_users(self):
        judge = Judge("security_incident")
        for number in range(10):
            judge.see(events=failed(user=f"u{number}"))

        assert ["203.0.113.7"] == firing(judge)

    def test_is_one_user_whom_many_addresses_try(self):
        judge = Judge("security_incident")
        for number in range(10):
            judge.see(events=failed(source=f"203.0.113.{number}"))

        assert ["ann"] == firing(judge)

    def test_is_none_for_people_who_forget_a_password(self):
        judge = Judge("security_incident")
        for number in range(30):
            judge.see(20, events=failed(3, user=f"u{number}", source=f"203.0.113.{number}"))

        assert [] == firing(judge)

    def test_is_over_when_it_has_left_the_window(self):
        judge = Judge("security_incident", by=["user"], window="10m").see(events=failed(10))

        assert [["ann"], []] == [firing(judge.wait(570)), firing(judge.wait(40))]

    def test_counts_what_says_neither_together(self):
        judge = Judge("security_incident").see(events=failed(10, user="", source="nowhere"))

        assert [""] == firing(judge)

    def test_does_not_take_all_who_were_scrubbed_for_one(self):
        scrubbed = failed(9, user="[scrubbed]", source="[scrubbed]")
        judge = Judge("security_incident").see(events=[*scrubbed, *failed(9)])

        assert [] == firing(judge)
        assert 3 == len(judge.cells)

    def test_takes_a_name_in_brackets_for_a_name(self):
        judge = Judge("security_incident").see(events=failed(10, user="ann[1]", source=""))

        assert ["ann_1_"] == firing(judge)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ("authn_login_fail:ann, try again", {"client.address": "203.0.113.7"}),
            ("whatever", {"event": "authn_login_fail:ann", "source_ip": "203.0.113.7"}),
            (
                "",
                {
                    "event.name": "authn_login_fail",
                    "user.id": "ann",
                    "client.address": "203.0.113.7",
                },
            ),
            (json.dumps({"event": "authn_login_fail:ann", "source_ip": "203.0.113.7"}), {}),
        ],
    )
    def test_is_read_from_lines_of_logs(self, body, said):
        judge = Judge("security_incident").see(logs=[Log(body=body, attributes=said)] * 10)

        assert ["203.0.113.7", "ann"] == firing(judge)

    @pytest.mark.parametrize(
        "body",
        [
            "user said authn_login_fail:ann",
            '{"event": ["authn_login_fail"]}',
            '{"event"',
            "authn_x",
        ],
    )
    def test_is_not_read_from_anything_else(self, body):
        assert {} == Judge("security_incident").see(logs=[Log(body=body)] * 10).cells

    def test_tells_no_words_of_an_attacker(self):
        evil = "<!channel>\n(http://evil.example) ann" + "x" * 999
        judge = Judge("security_incident").see(events=failed(10, user=evil, source=evil))

        (cell,) = judge.cells.values()
        said = cell.text + "".join(cell.labels.values())
        assert not set("<>!\n()/ ").intersection(cell.labels["user"])
        assert 64 == len(cell.labels["user"])
        assert "http://" not in said

    def test_takes_the_limit_of_a_name_before_that_of_a_pattern(self):
        judge = Judge("security_incident", limits={"authn_*": 1, "authn_login_fail": 3})

        assert [] == firing(judge.see(events=failed(2)))
        assert 2 == len(firing(judge.see(events=failed(1, name="authn_login_lock"))))
        assert {} == Judge("security_incident", limits={"x_*": 1}).see(events=failed()).cells

    @pytest.mark.parametrize(
        ("options", "path"),
        [
            ({"limits": {"authn_login_fail": 0}}, r"limits\.authn_login_fail"),
            ({"by": ["sauce"]}, r"by.*'source'"),
            ({"page_severity": "crit"}, "page_severity"),
        ],
    )
    def test_refuses_options_that_are_none(self, options, path):
        with pytest.raises(ConfigError, match=path):
            RULES.build("security_incident", options)
