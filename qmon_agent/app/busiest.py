"""Who and what keeps the agent busy: totals, of which two in a row make rates."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import Any

from qmon_agent.app.config import LiveConfig
from qmon_agent.app.parts import Parts
from qmon_agent.app.reload import Services
from qmon_agent.ingest.cardinality import Cardinality
from qmon_agent.ingest.census import Account, Census
from qmon_agent.ingest.talkers import Talker
from qmon_agent.store.telemetry import StoreStatus

Document = dict[str, Any]
_MOST_TALKERS = 500  # those heard last
_MOST_METRICS = 50
_MOST_LABELS = 5


class BusyReport:
    """What `top` shows; asking costs a millisecond or two, and is remembered nowhere."""

    def __init__(self, parts: Parts, *, config: LiveConfig, services: Services) -> None:
        self._parts = parts
        self._config = config
        self._services = services

    async def make(self) -> Document:
        """Everything as totals since the agent started, with the moment they are of."""
        parts = self._parts
        store = await parts.store.status() if parts.store else StoreStatus(state="off")
        journal = await asyncio.to_thread(parts.taking.journal.status)
        intake = parts.taking.intake
        return {
            "at": time.monotonic(),
            "agent": self._agent(),
            "host": await asyncio.to_thread(_host),
            "intake": self._intake(),
            "cardinality": budgets_of(intake.cardinality),
            "peers": {
                name: {**_of_peer(name), **told, **_in(intake.cardinality.series.peers(), (name,))}
                for name, told in _last(intake.talkers.peers)
            },
            "services": {
                name: {**told, **_in(intake.cardinality.series.services(), (name,))}
                for name, told in _last(intake.talkers.services)
            },
            "metrics": metrics_of(intake.cardinality),
            "sources": {
                name: dict(source.describe())
                for name, source in self._config.plugins.sources.items()
            },
            "processors": self._services.processing.describe(),
            "sinks": self._services.forwarding.describe(),
            "journal": {
                "bytes": journal.bytes,
                "pending_bytes": journal.pending_bytes,
                "free_bytes": journal.free_bytes,
                "trouble": journal.trouble,
            },
            "lag": {"rules": parts.judged.walk.lag, "store": store.lag},
        }

    def _agent(self) -> Document:
        import psutil

        process = psutil.Process()
        times = process.cpu_times()
        return {
            "pid": os.getpid(),
            "cpu_s": times.user + times.system,
            "memory": self._parts.taking.memory.describe(),
        }

    def _intake(self) -> Document:
        count = self._parts.vitals.count
        names = ("received", "stored", "duplicate", "rejected", "refused")
        told = {name: count(f"frames_{name}") for name in names}
        return {**told, "bytes": count("bytes_received"), "told_to_wait": count("messages_refused")}


def budgets_of(cardinality: Cardinality) -> Document:
    """Of each census: how many are active, how many may be, and how much found no room."""
    censuses: dict[str, Census] = {"series": cardinality.series}
    censuses |= {f"{kind}_names": census for kind, census in cardinality.names.items()}
    return {
        name: {"active": len(census), "most": census.budgets.whole, "over": census.over}
        for name, census in censuses.items()
    }


def metrics_of(cardinality: Cardinality) -> list[Document]:
    """The metrics with the most series, and those that found no room; the largest first."""
    groups = nlargest(_MOST_METRICS, cardinality.series.groups().items(), key=_size)
    return [
        {
            "service": service,
            "metric": metric,
            **_account(account),
            "labels": {
                label: values.estimate()
                for label, values in nlargest(
                    _MOST_LABELS,
                    cardinality.labels.get((service, metric), {}).items(),
                    key=lambda each: each[1].estimate(),
                )
            },
        }
        for (service, metric), account in groups
    ]


def _size(group: tuple[tuple[str, ...], Account]) -> tuple[int, int]:
    return group[1].over, group[1].count


def _last(talkers: Mapping[str, Talker]) -> list[tuple[str, Document]]:
    newest = islice(reversed([*talkers.items()]), _MOST_TALKERS)
    return [(name, talker.describe()) for name, talker in newest]


def _in(level: Mapping[tuple[str, ...], Account], name: tuple[str, ...]) -> Document:
    return _account(level.get(name) or Account(0))


def _account(account: Account) -> Document:
    return {
        "series": account.count,
        "series_came": account.came,
        "series_most": account.most,
        "over": account.over,
    }


def _of_peer(name: str) -> Document:
    """The program a peer on the socket is, while it is there."""
    kind, _, number = name.partition(":")
    if kind != "pid" or not number.isdigit():
        return {"program": ""}
    try:
        return {"program": Path(f"/proc/{number}/comm").read_text(encoding="utf-8").strip()}
    except (OSError, ValueError):
        return {"program": ""}


def _host() -> Document:
    import psutil

    busy, whole = _busy(psutil.cpu_times())
    memory = psutil.virtual_memory()
    return {
        "cpus": psutil.cpu_count() or 1,
        "cpu_busy_s": busy,
        "cpu_whole_s": whole,
        "load": list(psutil.getloadavg()),
        "memory_bytes": memory.total,
        "memory_used_bytes": memory.total - memory.available,
    }


def _busy(times: Any) -> tuple[float, float]:
    """Seconds of all processors since the host started, without and with those they idled."""
    fields: Iterable[str] = (name for name in times._fields if not name.startswith("guest"))
    spent = {name: getattr(times, name) for name in fields}
    whole = sum(spent.values())
    return whole - spent.get("idle", 0.0) - spent.get("iowait", 0.0), whole
