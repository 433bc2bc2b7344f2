"""Numbers of programs that show them to Prometheus: each is asked at its pace."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from qmon_agent.ingest.scraping import Scrape, Scraper, Target
from qmon_agent.ingest.sending import Sending
from qmon_agent.ingest.sources import Door
from qmon_sdk.protocol.frames import Resource

_MOST_AT_ONCE = 64


class PrometheusSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """`[sources.prometheus]`: asks its targets; without any it does nothing."""

    enabled: bool = True
    targets: tuple[Target, ...] = ()
    """What is asked: a table `[[sources.prometheus.targets]]` each."""

    def __post_init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._scrapers: list[Scraper] = []
        self._threads: ThreadPoolExecutor | None = None
        self._trouble: dict[str, str] = {}

    async def start(self, door: Door) -> None:
        if not self.targets:
            return
        self._sending = Sending(door.intake, name="prometheus")
        self._scrapers = [Scraper(target, door.recollections) for target in self.targets]
        # A thread for each: who waits for a slow target, waits alone.
        most = min(_MOST_AT_ONCE, len(self.targets))
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="qmon-scrape")
        self._tasks = [asyncio.create_task(self._run(one, door)) for one in self._scrapers]

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        for scraper in self._scrapers:
            scraper.text.forget()

    def describe(self) -> Mapping[str, Any]:
        return {
            "targets": {
                target.url: self._trouble.get(target.url, "not asked yet")
                for target in self.targets
            },
            "trouble": self._in_trouble(),
        }

    def _in_trouble(self) -> str:
        bad = sum(told != "ok" for told in self._trouble.values())
        step = "is it up, and are its url, token and certificates right?"
        return f"{bad} of {len(self.targets)} targets cannot be read: {step}" if bad else ""

    async def _run(self, scraper: Scraper, door: Door) -> None:
        loop = asyncio.get_running_loop()
        interval_s = scraper.target.interval_s
        # Not all at the same moment, and each at the same moment after every start.
        due = loop.time() + interval_s * (zlib.crc32(scraper.target.url.encode()) % 1000) / 1000
        if interval_s <= 1:
            due = loop.time()
        while True:
            await asyncio.sleep(due - loop.time())
            if self._sending.may_send:
                await self._ask(scraper, door)
            else:
                door.vitals.add("scrapes_skipped", reason="agent_full")
            due = max(due + interval_s, loop.time())

    async def _ask(self, scraper: Scraper, door: Door) -> None:
        loop = asyncio.get_running_loop()
        scrape: Scrape = await loop.run_in_executor(self._threads, scraper.scrape)
        self._trouble[scraper.target.url] = scrape.trouble or "ok"
        door.vitals.add("scrapes", reason=scrape.reason or "ok")
        door.vitals.add("scraped_samples", scrape.samples)
        outcome = await self._sending.send(_resource(scraper.target), scrape.points)
        # What is not on disk is part of what the next scrape finds.
        if outcome.acknowledged and not scrape.trouble:
            scraper.exposition.commit()


def _resource(target: Target) -> Resource:
    return Resource(
        service=target.service or target.instance,
        environment=target.environment,
        host=target.instance.rpartition(":")[0] or target.instance,
        sdk="prometheus",
    )
