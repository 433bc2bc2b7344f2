"""An Alertmanager's configuration becomes ours, and what does not is told of."""

import tomllib

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from qmon_agent.alerting.importing import import_config, to_toml
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.cli.import_alertmanager import command
from qmon_agent.domain.alarms.route_tree import routes_for
from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.settings.routing import RoutingOptions

CONFIG = r"""
global: {smtp_smarthost: 'mail:25', smtp_from: q@example.org, resolve_timeout: 5m, slack_api_url: 'https://s/',
  pagerduty_url: 'https://eu/'}
templates: ['*.tmpl']
route:
  receiver: team
  group_by: [alertname, job]
  group_wait: 30s
  repeat_interval: 1w
  routes:
  - match: {severity: critical}
    match_re: {service: "db|web"}
    receiver: pager
    continue: true
    mute_time_intervals: [night]
  - matchers: ['team="a b"', 'path=~"a\\.b"']
    receiver: nobody
receivers:
- name: team
  webhook_configs: [{url: 'http://127.0.0.1:9/', send_resolved: false, max_alerts: 3}]
- name: pager
  pagerduty_configs: [{routing_key_file: /run/key}]
  slack_configs: [{channel: '#ops'}]
  email_configs: [{to: 'a@example.org, b@example.org'}]
  pushover_configs: [{token: t}]
  discord_configs: [{}]
- name: nobody
inhibit_rules:
- source_match: {severity: critical}
  target_matchers: ['severity="warning"']
  equal: [service]
mute_time_intervals:
- name: night
  time_intervals:
  - times: [{start_time: '22:00', end_time: '24:00'}]
    weekdays: ['monday:friday']
    location: Europe/Berlin
"""


@pytest.fixture
def imported():
    return import_config(yaml.safe_load(CONFIG))


@pytest.fixture
def plan(imported):
    """What a configuration file with that text makes."""
    table = tomllib.loads(to_toml(imported))
    options = msgspec.convert(table["routing"], RoutingOptions)
    return make_plan(options, table["channels"])


class TestTheText:
    @pytest.mark.parametrize(
        ("labels", "receivers"),
        [
            ({"severity": "critical", "service": "db"}, ["pager"]),
            ({"team": "a b", "path": "a.b"}, ["nobody"]),
            ({"severity": "critical", "service": "web", "team": "a b", "path": "a.b"}, 2),
            ({"severity": "warning", "service": "db"}, ["team"]),
        ],
    )
    def test_routes_as_it_did(self, plan, labels, receivers):
        found = [route.receiver for route in routes_for(plan.root, labels)]

        assert found == (["pager", "nobody"] if receivers == 2 else receivers)

    def test_has_the_times_and_the_channels(self, plan):
        day_ns = 86_400 * 10**9

        assert 7 * day_ns == plan.root.repeat_interval_ns
        assert [("team-webhook", False)] == [
            (each.channel, each.send_resolved) for each in plan.endpoints("team", 0)
        ]
        assert ("severity",) == tuple(each.name for each in plan.inhibit_rules[0].source)
        assert ["night"] == [*plan.intervals]


class TestChannels:
    def test_have_what_holds_for_all_of_their_kind_and_secrets_by_reference(self, imported):
        pager = {"kind": "pagerduty", "routing_key": "file:/run/key", "url": "https://eu/"}
        assert pager == imported.channels["pager-pagerduty"]
        assert {"kind": "slack", "url": "https://s/"} == imported.channels["pager-slack"]
        mail = imported.channels["pager-email"]
        assert ("mail", 25, "q@example.org") == (mail["host"], mail["port"], mail["sender"])
        assert ["a@example.org", "b@example.org"] == mail["to"]

    @pytest.mark.parametrize(
        ("config", "hears"),
        [
            ({"slack_configs": [{"channel": "#a"}]}, False),
            ({"email_configs": [{"to": "a@example.org"}]}, False),
            ({"slack_configs": [{"channel": "#a", "send_resolved": True}]}, True),
            ({"pagerduty_configs": [{"routing_key": "k"}]}, True),
            ({"pagerduty_configs": [{"routing_key": "k"}], "slack_configs": [{}]}, True),
        ],
    )
    def test_hear_of_ends_as_they_did(self, config, hears):
        """In Alertmanager mail and Slack do not, unless it is said; a pager has to."""
        known = yaml.safe_load(CONFIG) | {"receivers": [{"name": "a", **config}]}
        known |= {"route": {"receiver": "a"}}

        assert hears == import_config(known).routing["receivers"]["a"]["send_resolved"]

    def test_can_be_built(self, imported):
        for name, table in imported.channels.items():
            options = {key: value for key, value in table.items() if key != "kind"}
            assert CHANNELS.build(table["kind"], options, path=name)


class TestWhatIsLeft:
    def test_is_told_with_its_place(self, imported):
        assert {
            "templates",
            "global.resolve_timeout",
            "receivers.pager.discord_configs[0]",
            "receivers.pager.pushover_configs[0]",
            "receivers.pager.send_resolved",
            "receivers.pager.slack_configs[0].channel",
            "receivers.team.webhook_configs[0].max_alerts",
        } == {each.path for each in imported.left}

    def test_has_what_we_refuse_too(self):
        config = yaml.safe_load(CONFIG)
        config["route"]["routes"][0]["match_re"] = {"service": r"\bdb"}

        refused = [each for each in import_config(config).left if "refused" in each.reason]
        assert ["routing.routes[0].matchers"] == [each.path for each in refused]

    @pytest.mark.parametrize("config", [{}, {"route": "x"}, {"groups": []}])
    def test_is_everything_of_another_file(self, config):
        with pytest.raises(ConfigError, match="no configuration of Alertmanager"):
            import_config(config)


class TestBadFiles:
    @pytest.mark.parametrize(
        ("bad", "path"),
        [
            ("inhibit_rules: ['a']", "inhibit_rules[0]"),
            ("receivers: [{name: a, webhook_configs: {url: x}}]", "receivers[0][...]"),
            ("receivers: [a]", "receivers[0]"),
            ("global: x", "global"),
            ("time_intervals: [{time_intervals: []}]", "time_intervals[0]"),
            ("7: x", ""),
            ('templates: ["\\ud800"]', "templates[0]"),
        ],
    )
    def test_are_refused_with_the_place(self, bad, path):
        config = yaml.safe_load(f"route: {{receiver: a}}\n{bad}")

        with pytest.raises(ConfigError) as caught:
            import_config(config)

        assert path == caught.value.path

    def test_numbers_of_any_kind_become_toml(self):
        route = {"receiver": "a", "group_by": [10**30, float("nan"), True]}

        text = to_toml(import_config({"route": route}))

        assert str(route["group_by"]) == str(tomllib.loads(text)["routing"]["group_by"])


class TestTheCommand:
    def test_reads_a_time_of_day_without_quotes_as_such(self, tmp_path):
        file = tmp_path / "alertmanager.yml"
        file.write_text(CONFIG.replace("'22:00'", "22:00"))

        done = CliRunner().invoke(command, [str(file)])

        assert 'start_time = "22:00"' in done.output
