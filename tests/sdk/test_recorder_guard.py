"""The guest never breaks the host: whatever fails inside, the program goes on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import qmon_sdk as qmon
from qmon_sdk.sessions import end_session, start_session

PROGRAM = """
import json
import qmon_sdk as qmon
from qmon_sdk.transports.memory import MemoryTransport

class Broken(MemoryTransport):
    def poll(self):
        raise OSError("a descriptor that is no more")

def refuse(*_):
    raise RuntimeError("a hook that fails")

{before}
qmon.init(service="t", integrations=(), spool_dir={spool!r}, flush_interval_s=60.0, {options})

@qmon.instrument(record_args=True)
def work(n):
    if n == 3:
        raise ValueError(n)
    return n

done = []
for n in range(5):
    try:
        done.append(work(n))
    except ValueError as error:
        qmon.capture_exception(error)
        done.append("failed")
with qmon.span("by hand"):
    qmon.current_span().set_attribute("a", object())
qmon.log.info("line {{n}}", n=1)
qmon.count("calls")
qmon.flush(3)
told = qmon.stats()
print(json.dumps([done, told.captured, told.dropped, list(told.trouble)]))
"""
FAULTS = {
    "traces_sampler": ("", "traces_sampler=refuse"),
    "before_send_span": ("", "before_send_span=refuse"),
    "before_send": ("", "before_send=refuse"),
    "before_send_log": ("", "before_send_log=refuse"),
    "before_send_metric": ("", "before_send_metric=refuse"),
    "on_drop": ("", "on_drop=refuse, traces_sample_rate=0.0"),
    "transport": ("", "transport=Broken()"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in(fault, tmp_path):
    """The program computes what it computes, prints nothing of ours, and the fault is named."""
    before, options = FAULTS[fault]
    program = PROGRAM.format(before=before, options=options, spool=str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert run.stderr == ""
    done, captured, dropped, trouble = json.loads(run.stdout)
    assert done == [0, 1, 2, "failed", 4]
    assert trouble
    if fault == "before_send_span":
        assert dropped["span/before_send_failed"] == captured["span"] == 6


VERBS = (
    qmon.add_breadcrumb, qmon.count, qmon.current_span, qmon.distribution, qmon.feature, qmon.flush,
    qmon.gauge, qmon.heartbeat, qmon.identify, qmon.inject, qmon.monitor, qmon.new_scope,
    qmon.session, qmon.set_context, qmon.set_flag, qmon.set_tag, qmon.set_tags, qmon.set_user,
    qmon.shutdown, qmon.timer, qmon.track, end_session, start_session,
)  # fmt: skip


class TestACallThatDoesNotFit:
    @pytest.mark.parametrize("verb", VERBS)
    def test_is_refused_by_python_when_nobody_records(self, verb):
        with pytest.raises(TypeError, match=r"argument"):
            verb(*range(10))

    @pytest.mark.parametrize("verb", VERBS)
    def test_is_refused_by_python_and_is_no_trouble_of_ours(self, told, verb):
        with pytest.raises(TypeError, match=r"argument"):
            verb(*range(10))

        assert {} == qmon.stats().trouble

    def test_is_told_from_a_type_error_inside(self, told):
        class Odd:
            def items(self):
                return None

        with pytest.raises(TypeError, match="iterable"):  # raised on because this is pytest
            qmon.set_tags(Odd())

        assert {"set_tags: TypeError": 1} == qmon.stats().trouble
