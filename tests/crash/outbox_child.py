"""One life of rules and notifier over a fixed story; dies where it is told to, or when killed.

Arguments: database, receiver's URL, beginning of the story (ns), step to die at, which time.
"""

import asyncio
import os
import signal
import sys

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import SECOND, SystemClock
from qmon_agent.notify import AlertNotifier, Sending
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Error, Point

ALERTS = [
    AlertOptions(name="hot", metric="temp", system="shop", threshold="> 5"),
    AlertOptions(name="held", metric="temp", system="shop", threshold="> 5 for 2s"),
    AlertOptions(name="new", rule="new_error"),
]
LENGTH = 36


def story(begin):
    """The same batches in every life: a value that comes and goes, and a new error now and then."""
    for n in range(LENGTH):
        now = begin + n * SECOND
        points = [Point(metric="temp", value=9.0 if n % 7 < 4 else 1.0, time=now)]
        errors = [Error(type="E", grouping=f"g{n // 6}", time=now)] if n % 3 == 0 else []
        yield Observed(service="shop", time=now, points=points, errors=errors, position=str(n + 1))


class Doomed:
    """Stands before something and kills the process around the calls it is told to."""

    def __init__(self, real, doom):
        self._real, self._doom = real, doom

    def __getattr__(self, name):
        real = getattr(self._real, name)
        if not callable(real):
            return real
        return (
            self._awaited(name, real)
            if asyncio.iscoroutinefunction(real)
            else self._called(name, real)
        )

    def _called(self, name, real):
        def call(*args, **kwargs):
            self._doom(f"before-{name}")
            answer = real(*args, **kwargs)
            self._doom(f"after-{name}")
            return answer

        return call

    def _awaited(self, name, real):
        async def call(*args):
            self._doom(f"before-{name}")
            answer = await real(*args)
            self._doom(f"after-{name}")
            return answer

        return call


def doom_at(step, time):
    passed = {step: 0}

    def doom(here):
        if here == step:
            passed[step] += 1
            if passed[step] == time:
                os.kill(os.getpid(), signal.SIGKILL)

    return doom


async def live(path, url, begin, doom):
    store = StateStore.open(f"sqlite:///{path}", SystemClock())
    store.incidents = Doomed(store.incidents, doom)
    channel = Doomed(CHANNELS.build("webhook", {"url": url, "timeout_s": 0.5}), doom)
    sending = Sending(first_s=0.02, most_s=0.1, lease_s=30, at_once=3)
    notifier = AlertNotifier(Doomed(store.outbox, doom), {"hook": channel}, sending=sending)
    alerts = AlertService(store, channels=("hook",), posted=notifier.wake)
    alerts.declare(ALERTS)
    running = asyncio.create_task(notifier.run())
    print("alive", flush=True)
    for batch in list(story(begin))[int(alerts.resume() or 0) :]:
        await asyncio.to_thread(alerts.observe, batch)
        await asyncio.sleep(0.005)
    alerts.checkpoint()
    while any(status in {"waiting", "leased"} for _, status in store.outbox.counts()):
        await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    store.close()


if __name__ == "__main__":
    path, url, begin, step, time = sys.argv[1:]
    asyncio.run(live(path, url, int(begin), doom_at(step, int(time))))
