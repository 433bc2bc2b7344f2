"""Which path runs: chosen once, said in the stats, and never a reason to fail."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

import qmon_sdk as qmon
from qmon_sdk.accelerator import speedups

ASK = "import qmon_sdk; print(qmon_sdk.stats().accelerated)"
ELSEWHERE = f"""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
interpreters.run_string(interpreters.create(), {ASK!r})
"""


def answer(program, **environment):
    env = {**os.environ, "QMON_PURE_PYTHON": "", **environment}
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=env,
        cwd=tempfile.gettempdir(),  # not the source tree, in which nobody compiled anything
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


class TestChoice:
    def test_is_the_compiled_path_where_there_is_one(self, compiled):
        assert compiled.GENERATION
        assert "True" == answer(ASK)

    @pytest.mark.parametrize(("said", "accelerated"), [("1", "False"), ("0", "True")])
    def test_is_the_pure_path_when_asked_for(self, compiled, said, accelerated):
        assert accelerated == answer(ASK, QMON_PURE_PYTHON=said)

    def test_is_said_in_the_stats(self, qmon_capture):
        qmon.count("asked")

        assert qmon.stats().accelerated is (speedups is not None)

    def test_is_the_pure_path_in_a_second_interpreter(self, compiled):
        assert "False" == answer(ELSEWHERE)
