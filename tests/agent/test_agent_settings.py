"""Options: strict, with paths and nearest keys, and secrets by reference."""

from __future__ import annotations

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.monitoring.samplers import SAMPLERS
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.settings import (
    Settings,
    convert_table,
    find_locations,
    load_settings,
    read_settings,
)

WRONG = {
    "[http]\nlisen = ''": ("http.lisen", "'listen'"),
    "[htp]": ("htp", "'http'"),
    "[http]\nmax_body_bytes = '1'": ("http.max_body_bytes", "Expected `int`"),
    "[samplers]\nenabled = 1": ("samplers.enabled", "Expected `bool`"),
    "[[alerts]]\nname = 'a'\nthreshhold = 1": ("alerts[0].threshhold", "'threshold'"),
    "[[alerts]]\nmetric = 'a'": ("alerts[0].name", "is missing"),
    "http = 3": ("http", "has to be a table, as `[http]`, not 3"),
    "not toml": ("", "not TOML"),
    "[cardinality]\nseries = -1": ("cardinality.series", "`int` >= 1, not -1"),
    "[journal]\nsegment_bytes = 0": ("journal.segment_bytes", ">= 4096, not 0"),
    "[admission]\nprocess_memory_bytes = 0": ("admission.process_memory_bytes", "not 0"),
    "[admission]\nburst_s = 0": ("admission.burst_s", "`float` > 0"),
    "[store]\nrows = 1": ("store.rows", "'query_rows'"),
    "[heartbeat]\nzzz = 1": ("heartbeat.zzz", "there are url, method"),
    "[http]\nlisten = '${QMON_TEST_ABSENT}'": ("http.listen", "QMON_TEST_ABSENT is not set"),
    "[http]\nlink_ttl_s = -1": ("http.link_ttl_s", ""),
    "[http]\nlisten = 'file:/no/such'": ("http.listen", "No such file"),
}
MUCH_WRONG = """
[http]
lisen = "x"
max_body_bytes = "1"
listen = "${QMON_TEST_ABSENT}"
[samplers]
only = ["cpu", 3, "gpu", 4]
[sources]
tcp = 3
[[alerts]]
metric = "a"
[[alerts]]
name = 5
threshold = "> 1"
[[alerts]]
name = "b"
for = 3
"""
MUCH_WRONG_PATHS = [
    *("http.listen", "http.lisen", "http.max_body_bytes", "samplers.only[1]", "samplers.only[3]"),
    *("sources.tcp", "alerts[0].name", "alerts[1].name", "alerts[2].for"),
]


class TestReading:
    @pytest.mark.parametrize("text", WRONG)
    def test_names_the_path_and_what_is_wrong_with_it(self, text):
        path, words = WRONG[text]

        with pytest.raises(ConfigError) as raised:
            read_settings(text.encode())

        assert (path, True) == (raised.value.path, words in str(raised.value))

    def test_names_everything_that_is_wrong_at_once(self):
        with pytest.raises(ConfigError) as raised:
            read_settings(MUCH_WRONG.encode())

        found = [raised.value, *raised.value.others]
        assert MUCH_WRONG_PATHS == [problem.path for problem in found]
        assert "did you mean 'listen'?" in str(found[1])

    def test_takes_nothing_for_the_defaults(self):
        assert Settings() == read_settings(b"") == load_settings(None)

    def test_takes_secrets_from_the_environment_and_from_files(self, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("from a file\n")
        text = f"[channels.a]\nurl = 'x${{TOKEN}}y'\n[channels.b]\nurl = 'file:{secret}'"

        channels = read_settings(text.encode(), {"TOKEN": "1"}).channels

        assert {"a": {"url": "x1y"}, "b": {"url": "from a file"}} == channels

    def test_names_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigError, match="No such file"):
            load_settings(tmp_path / "absent.toml")

    def test_survives_nesting_without_end(self):
        with pytest.raises(ConfigError):
            read_settings(b"a = " + b"[" * 100_000)


class TestPlugins:
    @pytest.mark.parametrize(
        ("registry", "name", "private"),
        [(CHANNELS, "webhook", "_keys"), (SAMPLERS, "cpu", "_totals")],
    )
    def test_keep_their_memory_to_themselves(self, registry, name, private):
        assert private in registry.find(name).__struct_fields__

        with pytest.raises(ConfigError, match="no such option") as raised:
            registry.build(name, {private: ()})

        assert raised.value.path.endswith(f"{name}.{private}")
        assert private not in raised.value.nearest

    def test_tell_so_of_a_table_that_is_converted(self):
        with pytest.raises(ConfigError, match="unknown key"):
            convert_table({"_totals": {}}, SAMPLERS.find("cpu"), "samplers.cpu")


class TestLocations:
    def test_are_the_usual_ones_of_root(self):
        found = find_locations(environ={}, uid=0)

        assert ("/var/lib/qmon", "/run/qmon/agent.sock") == (str(found.state), str(found.socket))

    def test_are_under_the_home_of_anybody_else(self):
        found = find_locations(environ={"HOME": "/home/ada"}, uid=1000)

        assert "/home/ada/.local/state/qmon" == str(found.state)
        assert "/home/ada/.local/state/qmon/agent.sock" == str(found.socket)

    def test_follow_the_desktop_where_there_is_one(self):
        environ = {"XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/1000"}
        found = find_locations(environ=environ, uid=1000)

        assert "/s/qmon" == str(found.state)
        assert "/run/user/1000/qmon/agent.sock" == str(found.socket)

    def test_are_what_the_environment_says_unless_an_option_says_otherwise(self):
        environ = {"QMON_STATE_DIR": "/e", "QMON_SOCKET": "/e/s"}

        found = find_locations(state="/o", environ=environ, uid=0)

        assert ("/o", "/e/s") == (str(found.state), str(found.socket))
        assert "environment QMON_SOCKET" == found.origins["socket"]

    def test_find_the_configuration_in_the_state_directory(self, tmp_path):
        before = find_locations(state=str(tmp_path), environ={})
        (tmp_path / "qmon.toml").touch()

        after = find_locations(state=str(tmp_path), environ={})

        assert (None, tmp_path / "qmon.toml") == (before.config, after.config)
