"""Programs that multiply: every process speaks for itself, and nobody waits for the dead."""

import pytest

BEGIN = """
import json, os, sys, threading, time
import qmon_sdk as qmon

def begin():
    qmon.init(integrations=(), flush_interval_s=0.01)

@qmon.instrument
def work(who):
    qmon.current_span().set_attribute("who", who)

def wait(pid, seconds=20):
    deadline = time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            sys.exit(f"child {pid} hangs")
        time.sleep(0.002)
"""

FORKS = 40
PER_CHILD = 5

# Python warns of what this program is about to do.
FORKS_WHILE_RECORDING = (
    BEGIN
    + f"""
import warnings
warnings.simplefilter("ignore")
begin()
stop, counted = threading.Event(), []

def record():
    n = 0
    while not stop.is_set():
        work("parent")
        qmon.track("parent", {{"n": n}})
        qmon.count("parent")
        n += 1
        if not n % 10:
            time.sleep(0.005)
    counted.append(n)

threads = [threading.Thread(target=record) for _ in range(2)]
for thread in threads:
    thread.start()
for child in range({FORKS}):
    time.sleep(0.005)
    pid = os.fork()
    if pid == 0:
        for n in range({PER_CHILD}):
            work(f"child {{child}}")
            qmon.track("child", {{"n": f"{{child}} {{n}}"}})
        done = qmon.flush(10)
        os._exit(0 if done else 3)
    wait(pid)
stop.set()
for thread in threads:
    thread.join()
qmon.flush(10)
print(json.dumps(counted))
"""
)

# `ctypes` reaches the system's own fork, which runs none of Python's hooks.
FORKS_BEHIND_PYTHONS_BACK = (
    BEGIN
    + """
import ctypes
import time
begin()
for n in range(20):
    qmon.track("parent", {"n": n})
qmon.flush(5)
time.sleep(0.1)  # a thread that waits for the interpreter would be waited for by the child
pid = ctypes.PyDLL(None).fork()
if pid == 0:
    for n in range(20):
        qmon.track("child", {"n": n})
    os._exit(0)
for n in range(20, 40):
    qmon.track("parent", {"n": n})
wait(pid)
"""
)

# Ends without a word to anybody: what arrives was carried by the flusher, begun again.
FORKS_ALONE = (
    BEGIN
    + f"""
import warnings
warnings.simplefilter("error")
begin()
for child in range({FORKS}):
    work("parent")
    qmon.track("parent", {{"n": child}})
    qmon.count("parent")
    if child % 2:
        time.sleep(0.002)
    with qmon.span("around"):
        pid = os.fork()
        if pid == 0:
            work("child")
            os._exit(0 if qmon.flush(10) else 3)
        work("inside")
    wait(pid)
time.sleep(0.1)
pid = os.fork()
if pid == 0:
    os._exit(0)
wait(pid)
alone = len(os.listdir("/proc/self/task"))
sys.argv[1] == "span" and work("last")
sys.argv[1] == "point" and qmon.count("parent")
time.sleep(1.5)
print(alone, flush=True)
os._exit(0)
"""
)

# The child's ring is made after its first frame has left, which has the number one.
FORKS_AND_ERRS_FIRST = (
    BEGIN
    + """
qmon.init(integrations=(), flush_interval_s=60)
pid = os.fork()
if pid == 0:
    try:
        1 / 0
    except ZeroDivisionError as error:
        qmon.capture_exception(error)
    work("child")
    for n in range(20):
        qmon.track("child", {"n": n})
    os.kill(os.getpid(), 9)
wait(pid)
"""
)

MULTIPROCESSING = """
import multiprocessing, sys
import qmon_sdk as qmon

qmon.init(integrations=())

@qmon.instrument
def work(n):
    qmon.current_span().set_attribute("n", n)
    qmon.track("worked", {"n": n})

def child(first):
    for n in range(first, first + 25):
        work(n)

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    work(-1)
    children = [multiprocessing.Process(target=child, args=(n * 25,)) for n in range(4)]
    for process in children:
        process.start()
    for process in children:
        process.join(20)
        assert process.exitcode == 0, process.exitcode
    with multiprocessing.Pool(2) as pool:
        pool.map(work, range(100, 150))
        pool.close()
        pool.join()
"""


def points_of(agent):
    """What the parent has counted, as far as it is there."""
    return sum(point.value for point in agent.signals("point") if point.metric == "parent")


class TestFork:
    def test_while_other_threads_record_neither_doubles_nor_hangs(self, agent, programs, measured):
        counted = programs(FORKS_WHILE_RECORDING).finish()
        everything = FORKS * PER_CHILD + sum(counted)
        spans = agent.wait_for("span", everything)
        events = agent.wait_for("event", everything)

        measured(forks=FORKS, by_parent=sum(counted), spans=len(spans), events=len(events))
        assert everything == len({span.span_id for span in spans}) == len(spans)
        assert everything == len({event.event_id for event in events}) == len(events)
        children = [span.attributes["who"] for span in spans if "child" in span.attributes["who"]]
        assert {f"child {n}" for n in range(FORKS)} == set(children)
        assert FORKS * PER_CHILD == len(children)
        agent.until(lambda: points_of(agent) >= sum(counted))
        assert sum(counted) == points_of(agent)

    @pytest.mark.parametrize("last", ["span", "point"])
    def test_of_a_program_of_one_thread_is_beside_no_other(self, *, last, agent, programs):
        alone = programs(FORKS_ALONE, last).finish()
        more = last == "span"
        spans = agent.wait_for("span", 4 * FORKS + more)

        assert (1, 4 * FORKS + more) == (alone, len({span.span_id for span in spans}))
        around = {span.span_id for span in spans if span.name == "around"}
        inside = [span for span in spans if span.attributes.get("who") == "inside"]
        assert around == {span.parent_id for span in inside}
        tops = [span for span in spans if span.attributes.get("who") == "parent"]
        assert [""] * FORKS == [span.parent_id for span in tops]
        agent.wait_for("event", FORKS)
        agent.until(lambda: points_of(agent) >= FORKS + (not more))
        assert FORKS + (not more) == points_of(agent)

    def test_that_tells_nobody_is_noticed(self, agent, programs, measured):
        programs(FORKS_BEHIND_PYTHONS_BACK).finish()
        events = agent.wait_for("event", 60)

        measured(tracked=60, stored=len(events), processes=len({f.process for f in agent.frames()}))
        assert 60 == len({(event.name, event.attributes["n"]) for event in events}) == len(events)

    def test_that_is_killed_after_its_first_frame_has_lost_nothing(self, agent, programs):
        programs(FORKS_AND_ERRS_FIRST).finish()
        # An agent that never got to look at it while it lived cannot say of what it died.
        agent.wait_for("error", 1, lambda error: error.type in {"KilledBySIGKILL", "Vanished"})

        told = {kind: len(agent.signals(kind)) for kind in ("error", "span", "event")}
        assert {"error": 2, "span": 1, "event": 20} == told

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_by_multiprocessing_loses_nothing(self, *, method, agent, programs, tmp_path, measured):
        script = tmp_path / "script.py"
        script.write_text(MULTIPROCESSING)
        runs_the_script = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
        programs(runs_the_script, script, method).finish()
        events = agent.wait_for("event", 151)
        spans = agent.wait_for("span", 151)

        measured(method=method, events=len(events), spans=len(spans))
        numbers = [str(n) for n in range(-1, 150)]
        assert numbers == sorted((span.attributes["n"] for span in spans), key=int)
        assert numbers == sorted((event.attributes["n"] for event in events), key=int)
