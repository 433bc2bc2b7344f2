"""A fork that tells nobody is noticed by the first span after it, not by the five-hundredth."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

PROGRAM = """
import ctypes, os, sys, time
import qmon_sdk as qmon
from qmon_sdk.client import current

qmon.init(service="forked", dsn="memory:", integrations=(), flush_interval_s=60)

@qmon.instrument
def work():
    return current().recorder.pid == os.getpid()

assert work()
before = current().recorder.ring()
time.sleep(0.3)  # a thread that waits for the interpreter would be waited for by the child
child = ctypes.PyDLL(None).fork()  # as C does, past `os.register_at_fork`
if not child:
    is_ours = work() and current().recorder.ring() is not before
    os._exit(0 if is_ours else 1)
assert work() and current().recorder.ring() is before
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_is_noticed_by_the_first_span(compiled):
    env = {**os.environ, "QMON_PURE_PYTHON": ""}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=60,
        check=False, cwd=tempfile.gettempdir(),  # not the source tree, in which nobody compiled
    )  # fmt: skip

    assert (0, "") == (run.returncode, run.stderr)
