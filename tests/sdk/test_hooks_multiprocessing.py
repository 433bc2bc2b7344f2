"""Children of `multiprocessing`: what they end by is kept, and they print what they always did."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess

import pytest

from qmon_sdk.testing import capture

PROGRAM = """
import multiprocessing, sys
import qmon_sdk as qmon
qmon.init()

def work():
    raise ValueError("in a child")

class Worker(multiprocessing.Process):
    def run(self):
        work()

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    for child in (context.Process(target=work), context.Process(target=sys.exit, args=(3,))):
        child.start()
        child.join()
        print(child.exitcode)
    if "{method}" == "fork":
        multiprocessing.set_start_method("fork")
        child = Worker()
        child.start()
        child.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_that_fail_are_errors_and_crashed_sessions(ended, tmp_path, method):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM.format(method=method))
    done = ended(f"import runpy; runpy.run_path({str(file)!r}, run_name='__main__')")
    times = 2 if method == "fork" else 1
    errors, sessions = done.all("error"), done.all("session")
    assert [("in a child", "fatal", False)] * times == [
        (error.message, error.level, error.handled) for error in errors
    ]
    assert ["crashed"] * times == [session.status for session in sessions]
    assert {error.session_id for error in errors} == {session.session_id for session in sessions}
    assert ["1", "3"] == done.out.split()
    assert times == done.err.count("ValueError: in a child")
    assert "qmon" not in done.err


def test_names_are_what_they_were_afterwards():
    before = vars(BaseProcess)["name"]
    with capture(integrations=("multiprocessing",)):
        process = multiprocessing.Process(name="one")
        process.name = "other"
        assert process.name == "other"
        assert vars(BaseProcess)["name"] is not before
    assert vars(BaseProcess)["name"] is before
