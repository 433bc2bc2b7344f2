"""Ten thousand tasks, threads that race with the flusher: nothing bleeds, nothing is missing."""

TASKS = 10_000
THREADS, ROUNDS = 8, 3_000

TASKS_OF_THEIR_OWN = f"""
import asyncio, json
import qmon_sdk as qmon
qmon.init(integrations=(), max_buffer_bytes=64 << 20)

@qmon.instrument
async def inner(number):
    await asyncio.sleep(0)
    qmon.current_span().set_attribute("number", number)
    await asyncio.sleep(0)

@qmon.instrument
async def task(number):
    with qmon.new_scope():
        qmon.set_user({{"id": f"u{{number}}"}})
        await asyncio.sleep(0.001 * (number % 7))
        await inner(number)
        with qmon.span("last", number=number):
            await asyncio.sleep(0)

async def main():
    await asyncio.gather(*(task(number) for number in range({TASKS})))

asyncio.run(main())
print(json.dumps(qmon.flush(20)))
"""

RACES_WITH_FLUSH = f"""
import json, threading
import qmon_sdk as qmon
qmon.init(integrations=(), flush_interval_s=0.001, max_buffer_bytes=64 << 20)

@qmon.instrument
def work():
    qmon.count("worked")

def record(thread):
    for n in range({ROUNDS}):
        work()
        if n % 10 == 0:
            qmon.log.info("step {{n}}", n=f"{{thread}} {{n}}")
            qmon.track("step", {{"n": f"{{thread}} {{n}}"}})

def flush():
    while recording:
        qmon.flush(0.001)

recording = [True]
flusher = threading.Thread(target=flush)
flusher.start()
threads = [threading.Thread(target=record, args=(n,)) for n in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
recording.clear()
flusher.join()
print(json.dumps(qmon.flush(20)))
"""


class TestTenThousandTasks:
    def test_each_keep_their_own_user_and_place(self, agent, programs, measured):
        assert programs(TASKS_OF_THEIR_OWN).finish()
        spans = agent.wait_for("span", 3 * TASKS)
        captured, dropped = agent.books()

        measured(tasks=TASKS, spans=len(spans), captured=captured["span"], dropped=dict(dropped))
        assert (3 * TASKS, 0) == (captured["span"], dropped.total())
        assert 3 * TASKS == len({span.span_id for span in spans}) == len(spans)
        by_id = {span.span_id: span for span in spans}
        numbered = [span for span in spans if "number" in span.attributes]
        assert 2 * TASKS == len(numbered)
        for span in numbered:
            assert f"u{span.attributes['number']}" == span.user_id
            assert by_id[span.parent_id].trace_id == span.trace_id
        assert TASKS == len({span.trace_id for span in spans})


class TestThreadsRacingWithFlush:
    def test_lose_nothing_and_double_nothing(self, agent, programs, measured):
        assert programs(RACES_WITH_FLUSH).finish()
        spans = agent.wait_for("span", THREADS * ROUNDS)
        logs = agent.wait_for("log", THREADS * ROUNDS // 10)
        events = agent.wait_for("event", THREADS * ROUNDS // 10)
        points = [one for one in agent.signals("point") if one.metric == "worked"]

        measured(spans=len(spans), logs=len(logs), events=len(events), points=len(points))
        assert THREADS * ROUNDS == len({span.span_id for span in spans}) == len(spans)
        assert THREADS * ROUNDS // 10 == len({log.body for log in logs}) == len(logs)
        assert THREADS * ROUNDS // 10 == len({one.attributes["n"] for one in events})
        assert THREADS * ROUNDS == sum(point.value for point in points)
