"""Rule files of Prometheus: what of them becomes alerts, and what is said of the rest."""

import json
import tomllib

import pytest
from click.testing import CliRunner

from qmon_agent.alerting.declaring import check_alerts_of
from qmon_agent.alerting.rule_files import RuleFileError, read_rules, toml_of
from qmon_agent.cli.import_rules import command
from qmon_agent.settings import read_settings

FILE = """
groups:
  - name: node
    interval: 30s
    rules:
      - record: instance:load:rate5m
        expr: rate(load_total[5m])
        labels: {tier: "1"}
      - record: job:load:sum
        expr: sum by (job) (instance:load:rate5m)
      - alert: LoadHigh
        expr: |
          # too much
          job:load:sum{job=~"a\\"b|c"} > 5
        for: 1w
        keep_firing_for: 5m
        labels: {severity: page, team: "{{ $labels.job }}"}
        annotations:
          summary: 'Load of {{ $labels.job }} is {{ $value | humanize }}'
          runbook_url: https://runbooks.example/load
      - alert: LoadHigh
        expr: job:load:sum > 2
        labels: {severity: warning}
"""
BAD = """
groups:
  - name: odd
    rules:
      - {alert: At, expr: 'up @ 5'}
      - {record: 'job:bad', expr: 'double_exponential_smoothing(x[5m], 0.1, 0.1)'}
      - {alert: NeedsBad, expr: 'job:bad > 1'}
      - {alert: Meta, expr: 'ALERTS{alertname="x"}'}
      - {alert: Strange, expr: up, fro: 5m}
      - {alert: Long, expr: up, for: a while}
      - {alert: Label, expr: up, labels: {a: '{{ range query "up" }}{{ end }}'}}
      - {expr: up}
      - {alert: Reference, expr: 'label_replace(up, "a", "${n}", "job", "(?P<n>.*)")'}
      - {alert: Broken, expr: 'sum('}
      - nonsense
      - {alert: Flat, expr: up, labels: flat}
      - {alert: Noted, expr: up, annotations: [a]}
"""


def alerts(text):
    return [rule for rule in read_rules({"f": text}) if rule.kind == "alert"]


class TestAlerts:
    def test_are_tables_of_a_configuration(self):
        high, low = alerts(FILE)

        assert ("LoadHigh", "critical", "7d", "5m") == tuple(
            high.table[key] for key in ("name", "severity", "for", "keep_firing_for")
        )
        assert ("LoadHigh (warning)", "30s") == (
            low.table["name"],
            low.table["options"]["interval"],
        )

    def test_bring_the_records_they_need_in_order(self):
        [high, _] = alerts(FILE)

        records = high.table["options"]["records"]
        assert ["instance:load:rate5m", "job:load:sum"] == [each["record"] for each in records]
        assert {"tier": "1"} == records[0]["labels"]

    def test_are_what_the_agent_reads(self):
        settings = read_settings(toml_of(read_rules({"f": FILE})).encode())

        check_alerts_of(settings.alerts)
        assert ["LoadHigh", "LoadHigh (warning)"] == [each.name for each in settings.alerts]
        assert 'job=~"a\\"b|c"' in settings.alerts[0].options["expr"]

    def test_leave_out_an_annotation_that_asks_for_too_much(self):
        annotations = {"summary": "{{ query 1 }}", "description": "x"}
        rules = [{"alert": "A", "expr": "up", "annotations": annotations}]

        [rule] = alerts(json.dumps({"groups": [{"name": "g", "rules": rules}]}))

        assert ("x", 1) == (rule.table["options"]["text"], len(rule.notes))


class TestRulesThatCannotBeRun:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("At", "recent"),
            ("job:bad", "not supported"),
            ("NeedsBad", "needs job:bad"),
            ("Meta", "own alerts"),
            ("Strange", "'fro'"),
            ("Long", "no duration"),
            ("Label", "labels.a"),
            ("", "neither"),
            ("Reference", "references"),
            ("Broken", "parenthesis"),
            ("Flat", "no table"),
            ("Noted", "no table"),
        ],
    )
    def test_say_why(self, name, reason):
        found = {rule.name: rule for rule in read_rules({"f": BAD})}

        assert not found[name].runs
        assert reason in found[name].reason

    @pytest.mark.parametrize("text", ["", "a: [", "[]", "groups: 5", "groups: [5]", "\x00"])
    def test_are_none_in_a_file_of_another_kind(self, text):
        with pytest.raises(RuleFileError, match="the-file"):
            read_rules({"the-file": text})


class TestCommand:
    def run(self, tmp_path, text, *options):
        file = tmp_path / "rules.yml"
        file.write_text(text)
        return CliRunner().invoke(command, [str(file), *options], standalone_mode=False)

    def test_lists_every_rule(self, tmp_path):
        told = self.run(tmp_path, FILE)

        assert 0 == told.return_value
        assert "2 alerts and 2 records can be run, 0 rules cannot" in told.output

    def test_answers_that_something_cannot_be_run(self, tmp_path):
        told = self.run(tmp_path, BAD, "--json")

        document = json.loads(told.output)
        assert (1, False, 13) == (told.return_value, document["ok"], len(document["rules"]))

    def test_prints_a_configuration(self, tmp_path):
        told = self.run(tmp_path, FILE, "--toml")

        assert 2 == len(tomllib.loads(told.stdout)["alerts"])
