"""Programs that multiply by `multiprocessing`: every child is watched, and all is told once."""

import pytest

CHILDREN, EACH = 3, 10

PROGRAM = f"""
import multiprocessing, sys
import qmon_sdk as qmon

def work(n):
    with qmon.span("work", n=n):
        qmon.track("worked", {{"n": n}})
        qmon.count("done")

def child(first):
    for n in range(first, first + {EACH}):
        work(n)

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    children = [
        multiprocessing.Process(target=child, args=(first,))
        for first in range(0, {CHILDREN * EACH}, {EACH})
    ]
    for process in children:
        process.start()
    for process in children:
        process.join()
    with multiprocessing.Pool(2) as pool:
        pool.map(work, range({CHILDREN * EACH}, {CHILDREN * EACH + 10}))
        pool.close()
        pool.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
class TestMultiprocessing:
    def test_tells_of_everything_once(self, *, method, start, tmp_path, counted):
        (tmp_path / "program.py").write_text(PROGRAM)
        start("python", "program.py", method).finish()

        counted(CHILDREN * EACH + 10, internal=1, processes=range(CHILDREN + 1, 8))


EXITS = """
import os
import qmon_sdk as qmon

for n in range(20):
    with qmon.span("work", n=n):
        qmon.track("worked", {"n": n})
assert qmon.flush()
os._exit(3)
"""


class TestExitWithoutExit:
    def test_tells_of_what_was_handed_over_once_and_keeps_its_code(self, start, tmp_path, agent):
        (tmp_path / "program.py").write_text(EXITS)
        start("python", "program.py").finish(expect=(3,))

        assert 20 == len(agent.wait_for("span", 20))
        assert 20 == len(agent.wait_for("event", 20))
