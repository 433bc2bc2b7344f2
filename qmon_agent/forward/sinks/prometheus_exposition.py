"""A page that a Prometheus scrapes, for who would rather fetch than be sent to."""

from __future__ import annotations

import contextlib
import ipaddress
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch

from . import Delivery
from ._adding import steps_of
from ._places import host_and_port
from ._scraped import Rules, Scraped
from ._totals import Totals, forget

_WEEK_MS = 7 * 86_400_000


class PrometheusExpositionSink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The points of every process at `http://LISTEN/metrics`; deltas are added up, each once."""

    listen: str = "127.0.0.1:9469"
    """Address to listen at."""
    token: str = ""
    """What a scraper has to send as `Authorization: Bearer`; needed beyond loopback."""
    bounds: tuple[float, ...] = ()
    """The bounds of histograms, ascending; none means those that fit a metric's unit."""
    per_process: bool = True
    """Whether each process is an instance; else each host is, and counters of its processes add up.
    """
    keep_s: float = 300.0
    """A series that nobody spoke of for so long is not told any more."""
    _totals: Any = None
    _server: Any = None

    def __post_init__(self) -> None:
        host, _ = host_and_port("listen", self.listen)
        if not self.token and not _is_loopback(host):
            raise ConfigError("token", "beyond loopback a scraper needs one")
        if list(self.bounds) != sorted(set(self.bounds)):
            raise ConfigError("bounds", "they ascend, each once")
        self._totals = Totals()

    def remember_at(self, path: Path, *, is_new: bool) -> None:
        if is_new:
            forget(path)
        self._totals = Totals(path)
        with contextlib.suppress(OSError):  # a port that is taken is told by the first batch
            self._serve()

    def send(self, batch: Batch) -> Delivery:
        """Delivered when the totals are on disk: from then on it is told to whoever asks."""
        try:
            self._serve()
            return self._add(batch)
        except OSError as error:
            return Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")
        except sqlite3.DatabaseError as error:
            return Delivery(outcome="retry", detail=self._totals.mend(error))

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()
        self._server = None
        self._totals.close()

    def describe(self) -> Mapping[str, Any]:
        return {"listen": self.listen}

    def _add(self, batch: Batch) -> Delivery:
        if self._totals.has(batch.id):
            return Delivery(outcome="delivered")
        self._totals.begin()
        added, problems = 0, []
        for step in steps_of(batch, self._totals, per_process=self.per_process):
            added += not step.problem
            problems += [step.problem] if step.problem else []
        self._totals.keep(batch.id, unheard_ms=_WEEK_MS)
        return Delivery(
            outcome="delivered",
            rejected=len(problems),
            detail=problems[0] if problems else "",
            passed_over=max(0, batch.signals - added - len(problems)),
        )

    def _serve(self) -> None:
        if self._server is None:
            rules = Rules(bounds=self.bounds, keep_s=self.keep_s, token=self.token)
            place = host_and_port("listen", self.listen)
            self._server = Scraped(place, self._totals, rules=rules)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
