"""Warnings that are shown become log lines; those that are recorded or raised do not."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest

import qmon_sdk as qmon
from qmon_sdk.integrations.warnings import PER_SECOND
from qmon_sdk.testing import capture


@pytest.fixture
def shown(capsys):
    """Warnings as outside of pytest, which records them all."""
    before = warnings._showwarnmsg_impl
    with warnings.catch_warnings():
        warnings._showwarnmsg_impl = lambda message: print(message.message, file=sys.stderr)
        warnings.simplefilter("always")
        with capture(integrations=("warnings", "logging")) as told:
            yield told
    warnings._showwarnmsg_impl = before


class TestWarnings:
    def test_say_what_and_where(self, shown, capsys):
        with qmon.span("request") as span:
            warnings.warn("version 1 is old", DeprecationWarning, stacklevel=1)
        (line,) = shown.logs
        assert ("warn", "py.warnings") == (line.level, line.logger)
        assert "DeprecationWarning: version 1 is old" == line.body
        assert "DeprecationWarning: version  is old" == line.template
        assert __file__ == line.attributes["code.file.path"]
        assert (span.trace_id, span.span_id) == (line.trace_id, line.span_id)
        assert "version 1 is old\n" == capsys.readouterr().err

    def test_of_one_place_are_one_and_the_others_counted(self, shown):
        for _ in range(10):
            warnings.warn("again", UserWarning, stacklevel=1)
        assert 1 == len(shown.logs)
        assert {"log/repeated_warning": 9} == qmon.stats().dropped

    def test_are_a_few_a_second(self, shown):
        for line in range(PER_SECOND * 3):
            warnings.warn_explicit("flood", UserWarning, "flood.py", line)
        told = len(shown.logs)
        assert PER_SECOND <= told <= 2 * PER_SECOND
        assert PER_SECOND * 3 == told + qmon.stats().dropped["log/repeated_warning"]

    def test_that_are_recorded_are_nobodys(self, shown):
        with warnings.catch_warnings(record=True) as recorded:
            warnings.warn("for the list", UserWarning, stacklevel=1)
        assert (1, []) == (len(recorded), shown.logs)

    def test_that_logging_captures_come_once(self, shown):
        logging.captureWarnings(True)
        try:
            warnings.warn("through logging", UserWarning, stacklevel=1)
        finally:
            logging.captureWarnings(False)
        (line,) = shown.logs
        assert "UserWarning: through logging" in line.body

    def test_show_what_they_always_showed(self, ended):
        text = "import warnings\nwarnings.warn('old', DeprecationWarning)\n"
        watched = ended(f"import qmon_sdk as qmon\nqmon.init()\n{text}")
        unwatched = ended(text)
        assert watched.err.replace(":4:", ":2:") == unwatched.err
        assert ["DeprecationWarning: old"] == [line.body for line in watched.all("log")]

    def test_can_be_left_out(self, ended):
        done = ended("""
            import qmon_sdk as qmon
            qmon.init(integrations=("auto", "-warnings"))
            import warnings
            warnings.warn("old")
        """)
        assert [] == done.all("log")
