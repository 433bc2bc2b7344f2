"""Alerts of a real Prometheus and a real Alertmanager against a live agent: incidents of ours."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from ports import free_port

pytestmark = pytest.mark.timeout(180)

CONFIG = """
[[alerts]]
name = "Prometheus says so"
rule = "received"
channels = ["console"]

[channels.console]
"""
LABELS = {"alertname": "Flooded", "service": "shop", "severity": "critical"}
RULES = """
groups:
- name: always
  interval: 1s
  rules:
  - alert: AlwaysBroken
    expr: vector(1)
    labels: {severity: critical, service: shop}
    annotations: {summary: "it is broken"}
"""


def incidents(live, title):
    """The incidents about one alert."""
    told = live.ask("/api/incidents")["incidents"]
    return [one for one in told if title in json.dumps(one)]


class TestPrometheus:
    def test_makes_an_incident_of_an_alert_that_fires(self, live, start, until, tmp_path):
        config, rules = tmp_path / "prometheus.yml", tmp_path / "rules.yml"
        rules.write_text(RULES)
        host = live.url.removeprefix("http://")
        config.write_text(
            f"global: {{evaluation_interval: 1s}}\nrule_files: [{rules}]\nalerting:\n"
            f"  alertmanagers:\n  - authorization: {{credentials: {live.token}}}\n"
            f"    static_configs: [{{targets: ['{host}']}}]\n"
        )
        start(
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{free_port()}",
            "--rules.alert.resend-delay=1s",  # what it sends first may find no receiver yet
        )

        (incident,) = until(lambda: incidents(live, "AlwaysBroken"))

        assert "firing" == incident["state"]
        line = live.until("logs WHERE template = 'AlwaysBroken'", 1)[0]
        assert ("shop", "error", "AlwaysBroken firing: it is broken") == (
            line["service"],
            line["level"],
            line["body"],
        )


class TestAlertmanager:
    def test_passes_on_what_fires_and_what_is_over(self, live, start, until, tmp_path, tally):
        port, config = free_port(), tmp_path / "am.yml"
        config.write_text(
            "route: {receiver: qmon, group_wait: 100ms, group_interval: 1s}\nreceivers:\n"
            f"- name: qmon\n  webhook_configs:\n  - url: {live.url}/api/alertmanager\n"
            f"    http_config: {{authorization: {{credentials: {live.token}}}}}\n"
        )
        start(
            "prometheus-alertmanager",
            f"--config.file={config}",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        )

        url = f"http://127.0.0.1:{port}/api/v2/alerts"
        until(lambda: post(url, [{"labels": LABELS}]))
        (incident,) = until(lambda: incidents(live, "Flooded"))
        (theirs,) = json.load(urllib.request.urlopen(url, timeout=10))
        ours = until(lambda: live.rows("points", "attributes"))

        assert "firing" == incident["state"]
        assert theirs["fingerprint"] in {row["attributes"]["alert.fingerprint"] for row in ours}
        post(url, [{"labels": LABELS, "endsAt": "2026-01-01T00:00:00Z"}])
        until(lambda: all(one["state"] != "firing" for one in incidents(live, "Flooded")))
        lines = live.until("logs WHERE template = 'Flooded'", 2)
        tally("alertmanager", captured=2, stored=len(lines))


def post(url, document):
    request = urllib.request.Request(
        url, json.dumps(document).encode(), {"content-type": "application/json"}
    )
    try:
        return urllib.request.urlopen(request, timeout=10).status == 200
    except urllib.error.URLError:
        return False
