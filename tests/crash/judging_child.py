"""Rules that judge so many records, each of which fires, and try to write until all is written."""

from __future__ import annotations

import sys
import time

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import SystemClock
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point


def main(dsn: str, records: int) -> None:
    clock = SystemClock()
    store = StateStore.open(dsn, clock, owner="me")
    service = AlertService(store, channels=("pager",), clock=clock)
    service.declare([AlertOptions(name="hot", metric="temp", threshold="> 5")])
    print("begins", flush=True)
    for number in range(1, records + 1):
        now = clock.now()
        point = Point(metric="temp", value=9.0, time=now, attributes={"place": f"p{number:05}"})
        service.observe(Observed(service="shop", time=now, points=[point], position=str(number)))
        service.tick(now)
        time.sleep(0.005)
    while not service.checkpoint():
        time.sleep(0.05)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
