"""Moments at which nobody should say anything: in `__del__`, in handlers, at the very end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SAY = """
import gc, json, os, signal, sys, threading, time
import qmon_sdk as qmon
from qmon_sdk.transports.memory import MemoryTransport
qmon.init(service="t", integrations=(), transport=MemoryTransport(), spool_dir={spool!r})

@qmon.instrument
def work():
    return 1

def say():
    work()
    with qmon.span("by hand", a=object()):
        qmon.add_breadcrumb("x", data={{"a": [1]}})
        qmon.track("x", {{"a": 1}})
        qmon.log.info("{{a}}", a=1)
        qmon.count("x", attributes={{"a": "b"}})
        qmon.distribution("y", 1.5)
        qmon.capture_exception(ValueError("x"))
        with qmon.session(user="7"), qmon.new_scope(tags={{"a": 1}}):
            qmon.inject()
"""
DEL = """
class Dying:
    def __init__(self):
        self.itself = self
    def __del__(self):
        say()

gc.set_threshold(5)
for _ in range(300):
    Dying()
    say()
gc.collect()
"""
SIGNALS = """
heard = []
def hear(number, frame):
    heard.append(number)
    say()

signal.signal(signal.SIGUSR1, hear)
signal.signal(signal.SIGALRM, hear)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
busy = [threading.Thread(target=lambda: [say() for _ in range(100)]) for _ in range(2)]
for thread in busy:
    thread.start()
until = time.monotonic() + 2
while time.monotonic() < until:
    say()
    os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0)
for thread in busy:
    thread.join()
assert len(heard) > 20
"""
AT_EXIT = """
import atexit
class Last:
    def __del__(self):
        say()
keep = Last()
sys.modules["last"] = Last()
atexit.register(say)
threading.Thread(target=lambda: [say() for _ in range(20)]).start()
"""
TOLD = """
qmon.flush(5)
told = qmon.stats()
print(json.dumps([told.captured, told.acknowledged, told.spooled, told.dropped, told.trouble]))
"""


def run(program, tmp_path):
    text = SAY.format(spool=str(tmp_path)) + program
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", text],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("moment", ["DEL", "SIGNALS"])
def test_every_verb_may_be_called(moment, tmp_path):
    out = run(globals()[moment] + TOLD, tmp_path)

    captured, acknowledged, spooled, dropped, trouble = json.loads(out)
    assert trouble == {}
    lost = {kind: sum(n for key, n in dropped.items() if key.startswith(kind)) for kind in captured}
    safe = {kind: acknowledged.get(kind, 0) + spooled.get(kind, 0) for kind in captured}
    assert {kind: safe[kind] + lost[kind] for kind in captured} == captured


def test_every_verb_may_be_called_while_the_interpreter_ends(tmp_path):
    assert run(AT_EXIT, tmp_path) == ""
