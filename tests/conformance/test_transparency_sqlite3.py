"""CPython's own tests of `sqlite3`, under qmon: the same passes, and the failures we know of."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys, unittest
import qmon_sdk
if sys.argv[1] == "watched":
    qmon_sdk.init(dsn="memory:", integrations=("sqlite3",))
names = "backup dbapi dump factory hooks regression transactions types userfunctions"
tests = unittest.defaultTestLoader.loadTestsFromNames(
    [f"test.test_sqlite3.test_{name}" for name in names.split()]
)
result = unittest.TestResult()
tests.run(result)
qmon_sdk.flush()
about = qmon_sdk.stats()
failed = {str(test): why for test, why in (*result.failures, *result.errors)}
print(json.dumps([result.testsRun, failed, about.captured.get("span", 0), about.trouble]))
"""

KNOWN = (
    "integrations/_sqlite3_classes.py' != ",  # a warning of C names the frame that called
    "integrations/_around.py' != ",
    "<class 'sqlite3.Connection'> != <class 'sqlite3.Connection'>",  # ours, which passes for it
)


def outcome(way):
    command = [sys.executable, "-c", PROGRAM, way]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert 0 == run.returncode, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def outcomes():
    return [outcome(way) for way in ("plain", "watched")]


@pytest.fixture(autouse=True)
def the_tests_of_cpython(missing):
    if not importlib.util.find_spec("test.test_sqlite3"):
        missing("the package `test` of this CPython, with test_sqlite3")


class TestTheSuite:
    def test_runs_as_many_tests(self, outcomes):
        (ran, *_), (ran_watched, *_) = outcomes

        assert ran == ran_watched > 300

    def test_fails_nowhere_but_where_we_know(self, outcomes):
        (_, failed, *_), (_, failed_watched, *_) = outcomes
        new = {test: why for test, why in failed_watched.items() if test not in failed}

        assert {} == {test: why for test, why in new.items() if not any(k in why for k in KNOWN)}

    def test_was_watched_and_was_no_trouble(self, outcomes):
        _, (*_, spans, trouble) = outcomes

        assert spans > 1000
        assert {} == trouble
