"""`check-config --explain`: the options there are, without a build of the documentation."""

from __future__ import annotations

import pytest

from qmon_agent.app.explaining import PLUGINS, explain
from qmon_agent.domain.errors import QmonError


def keys(path):
    return {key.key: key for key in explain(path).options}


class TestExplaining:
    def test_tells_type_default_and_meaning(self):
        key = keys("sinks.webhook")["max_rows"]

        assert ("int >= 1", False, 100) == (key.type, key.required, key.default)
        assert key.meaning == "How many signals go into one request."
        assert keys("sinks.webhook")["endpoint"].required

    def test_goes_into_tables(self):
        assert "targets[].url" in keys("sources.prometheus")
        assert "files[].paths" in keys("sources.log_files")
        assert {"mode", "rates[].rate", "match.level"} <= keys("processors.sample").keys()

    def test_knows_sections_too(self):
        assert "int >= 4096" == keys("journal")["segment_bytes"].type

    def test_knows_what_has_no_record(self):
        assert {"span", "points_1h", "KIND.age", "services.NAME.KIND"} <= keys("retention").keys()

    def test_lists_what_there_is(self):
        assert {"webhook", "file", "nats"} <= explain("sinks").names.keys()

    @pytest.mark.parametrize(
        "path", [f"{kind}.{name}" for kind in PLUGINS for name in PLUGINS[kind].names()]
    )
    def test_says_something_of_every_plugin(self, path):
        assert explain(path).meaning

    @pytest.mark.parametrize(("path", "near"), [("sinks.webhok", "webhook"), ("sink", "sinks")])
    def test_offers_what_was_meant(self, path, near):
        with pytest.raises(QmonError, match=f"did you mean '{near}'"):
            explain(path)
