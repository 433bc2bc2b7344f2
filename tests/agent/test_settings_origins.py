"""Where a value is said, by whom, and what of it may be shown."""

from __future__ import annotations

import tomllib

import pytest

from qmon_agent.app.checking import load_plugins
from qmon_agent.app.origins import options_in_force
from qmon_agent.settings import find_locations
from qmon_agent.settings.lines import flat, lines_of
from qmon_agent.settings.masking import MASK, masked, secrets_of

FILE = """\
# a comment
[http]
listen = "127.0.0.1:0"  # another
hosts = [
  "a",
  "b",
]

[channels.pager]
kind = "webhook"
url = "https://hooks.example/T024/${PAGER}"
headers = { Authorization = "Bearer hush-hush" }

[[alerts]]
name = "a"
options.monitor = "m"
description = \"\"\"
[http]
listen = 1
\"\"\"
[[alerts]]
name = "b"
"quoted key" = 1
[sources."statsd"]
enabled = false
"""
LINES = {
    "http.listen": 3,
    "http.hosts": 4,
    "channels.pager.kind": 10,
    "channels.pager.url": 11,
    "channels.pager.headers.Authorization": 12,
    "alerts[0].name": 15,
    "alerts[0].options.monitor": 16,
    "alerts[0].description": 17,
    "alerts[1].name": 22,
    "alerts[1].quoted key": 23,
    "sources.statsd.enabled": 25,
}
SHOWN = {
    ("processors[0].keys", "iban"): "iban",
    ("processors[0].hash_key", "iban"): MASK,
    ("sinks.loki.token", "abcd"): MASK,
    ("sinks.loki.token", "${TOKEN}"): "${TOKEN}",
    ("sinks.loki.token", "file:/run/secrets/loki"): "file:/run/secrets/loki",
    ("sinks.loki.headers.Authorization", "Bearer ${TOKEN}"): "Bearer ${TOKEN}",
    ("sinks.loki.headers.Authorization", "Bearer abc"): MASK,
    ("sinks.loki.headers.Authorization", "Bearer a${TOKEN}"): f"{MASK}${{TOKEN}}",
    ("sinks.loki.headers.content-type", "text/plain"): "text/plain",
    ("sinks.loki.endpoint", "https://me:pw@loki:3100/p"): f"https://{MASK}@loki:3100/p",
    ("sinks.loki.endpoint", "https://loki/?token=abc"): f"https://loki/?{MASK}",
    ("sinks.loki.endpoint", "https://loki:3100/prefix"): "https://loki:3100/prefix",
    ("channels.a.url", "https://h/T02/B3"): f"https://h/{MASK}/{MASK}",
    ("channels.a.url", "slack://tokenA/tokenB?x=y"): f"slack://{MASK}",
    ("heartbeat.url", "https://hc/ping"): f"https://hc/{MASK}",
    ("probes[0].url", "postgresql://a:b@db/shop"): f"postgresql://{MASK}@db/shop",
    ("channels.a.secrets", ("whsec_abcdefgh",)): [MASK],
    ("alerts[0].description", "use qmon_abcdefghijklmnopqrst"): f"use {MASK}",
    ("http.session_ttl_s", 3600.0): 3600.0,
    ("admission.peer_credit_bytes", 8): 8,
    ("sources.tcp.key_file", "/etc/key.pem"): "/etc/key.pem",
}


class TestLines:
    def test_are_those_at_which_values_begin(self):
        assert LINES == lines_of(FILE)

    def test_are_known_of_everything_the_reader_finds(self):
        assert dict(flat(tomllib.loads(FILE))).keys() == lines_of(FILE).keys()

    def test_are_counted_in_lists_of_tables_inside_of_others(self):
        text = "[[a]]\nx = 1\n[[a.b]]\ny = 1\n[[a.b]]\ny = 2\n[a.b.c]\nz = 1\n"

        found = lines_of(text)

        assert (4, 6, 8) == (found["a[0].b[0].y"], found["a[0].b[1].y"], found["a[0].b[1].c.z"])


class TestMasked:
    @pytest.mark.parametrize(("path", "value"), SHOWN)
    def test_shows_what_is_no_secret(self, path, value):
        assert SHOWN[path, value] == masked(path, value)


class TestSecrets:
    def test_are_those_of_the_file_of_what_it_refers_to_and_of_the_environment(self, tmp_path):
        (tmp_path / "token").write_text("from-a-file\n")
        text = (
            FILE
            + f"[sinks.loki]\nendpoint = 'http://me:pass-word@l'\ntoken = 'file:{tmp_path}/token'"
        )

        found = secrets_of(tomllib.loads(text), {"PAGER": "from-env", "DB_PASSWORD": "beside"})

        assert {"from-a-file", "from-env", "beside", "hush-hush", "pass-word"} <= found

    def test_are_no_words_that_stand_everywhere(self):
        assert set() == secrets_of({}, {"PWD": "/home/me", "USE_TOKEN": "true", "A_KEY": "on"})


class TestOrigins:
    @pytest.fixture
    def options(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PAGER", "hush")
        file = tmp_path / "qmon.toml"
        said = '[[alerts]]\nname = "a"\nmetric = "m"\nthreshold = "> 1"\n'
        file.write_text(FILE.partition("[[alerts]]")[0] + said)
        locations = find_locations(config=str(file), environ={"QMON_STATE_DIR": str(tmp_path)})
        settings, plugins = load_plugins(file)
        return {each.path: each for each in options_in_force(locations, settings, plugins)}

    @pytest.mark.parametrize(
        ("path", "origin"),
        [
            ("state", "environment QMON_STATE_DIR"),
            ("config", "option --config"),
            ("http.listen", "{file}:3"),
            ("http.max_body_bytes", "default"),
            ("channels.pager.url", "{file}:11, environment variable PAGER"),
            ("channels.pager.timeout_s", "default"),
            ("sources.unix.mode", "default"),
            ("samplers.options.process.details_every_s", "default"),
            ("alerts[0].severity", "default"),
        ],
    )
    def test_are_told_of_every_option_in_force(self, options, tmp_path, path, origin):
        assert origin.format(file=tmp_path / "qmon.toml") == options[path].origin

    def test_show_no_secret(self, options):
        shown = str(options)

        assert "hush" not in shown
        assert f"https://hooks.example/{MASK}/${{PAGER}}" == options["channels.pager.url"].value

    def test_name_no_option_twice(self, options):
        assert [] == [path for path in options if path.startswith("channels.pager.headers[")]
        assert "channels.pager.headers" not in options
