"""Prometheus and whoever else takes remote write: VictoriaMetrics, Mimir, Thanos, Cortex."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from qmon_agent.domain.bounds import Amount
from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch
from qmon_agent.ingest.foreign import is_beside_original, original_of, rows_of_original

from . import Delivery
from ._adding import Step, steps_of
from ._http import Answer, EndpointSink, Post, judged
from ._remote_write import CONTENT_TYPES, Series, Version, request_1, request_2, series_of
from ._totals import Totals, forget

_WRITTEN = ("x-prometheus-remote-write-samples-written",
            "x-prometheus-remote-write-histograms-written")  # fmt: skip
_PROTOCOL = "remote_write"
_NO_SUCH_TYPE = 415


class PrometheusRemoteWriteSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """Points as series; deltas are added up, durably and each once, to what Prometheus counts."""

    endpoint: str
    """Where to, in full: `http://prometheus:9090/api/v1/write`."""
    version: Version = "1.0"
    """Of remote write; a receiver that does not know 2.0 is spoken to in 1.0."""
    histograms: Literal["classic", "native"] = "classic"
    """What distributions become: counts below fixed bounds, or Prometheus's own sparse buckets."""
    bounds: tuple[float, ...] = ()
    """The bounds of classic histograms, ascending; none means those that fit a metric's unit."""
    per_process: bool = True
    """Whether each process is an instance; else each host is, and counters of its processes add up.
    """
    max_samples: Amount = 2000
    """How many series go into one request."""
    forget_after_s: float = 7 * 86_400.0
    """A counter that nobody spoke of for so long begins at zero again."""
    _totals: Any = None
    _spoken: str = ""

    def __post_init__(self) -> None:
        EndpointSink.__post_init__(self)
        if list(self.bounds) != sorted(set(self.bounds)):
            raise ConfigError("bounds", "they ascend, each once")
        self._totals = Totals()
        self._spoken = self.version

    def remember_at(self, path: Path, *, is_new: bool) -> None:
        if is_new:
            forget(path)
        self._totals = Totals(path)

    def send(self, batch: Batch) -> Delivery:
        """What was refused stays in the totals: the next value of its series makes up for it."""
        passed_over = batch.signals - _points_in(batch)
        try:
            if self._totals.has(batch.id):
                return Delivery(outcome="delivered", passed_over=passed_over)
            delivery = EndpointSink.send(self, batch)
            if delivery.outcome != "retry":
                self._totals.keep(batch.id, older_than_ms=self._oldest(batch))
        except sqlite3.DatabaseError as error:
            return Delivery(outcome="retry", detail=self._totals.mend(error))
        return delivery

    def close(self) -> None:
        EndpointSink.close(self)
        self._totals.close()

    def posts(self, batch: Batch) -> Iterator[Post]:
        yield from _originals(batch)
        self._totals.begin()
        batch = _without_what_came_so(batch)
        filling = _Filling(batch.id, self._spoken)
        for step in steps_of(batch, self._totals, per_process=self.per_process):
            native = self.histograms == "native"
            filling.add(step, [*series_of(step, bounds=self.bounds, native=native)])
            if filling.series_count >= self.max_samples:
                yield filling.take()
        yield filling.take()

    def pack(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        """Snappy is what the protocol wants, whatever `compress` says."""
        import cramjam

        return bytes(cramjam.snappy.compress_raw(body)), {"content-encoding": "snappy"}

    def judge(self, post: Post, answer: Answer) -> Delivery:
        """Who takes 2.0 says what it has written; who does not say so has read nothing of it."""
        if post.sort == _PROTOCOL:
            return judged(post, answer, self.endpoint)
        tells = any(header in answer.headers for header in _WRITTEN)
        unread = answer.status == _NO_SUCH_TYPE or (answer.is_well and not tells)
        if self._spoken == "2.0" and unread:
            self._spoken, self._batch = "1.0", ""
            return Delivery(outcome="retry", detail="it does not know remote write 2.0")
        return judged(post, answer, self.endpoint)

    def _oldest(self, batch: Batch) -> int:
        """By the clock of what is sent, so that a backlog forgets no more than what comes live."""
        newest = max((frame.sent for frame in batch.frames), default=0) // 1_000_000
        return max(0, newest - int(self.forget_after_s * 1000))


def _originals(batch: Batch) -> Iterator[Post]:
    """What came by remote write goes on as it came, in the version it came in."""
    for number, frame in enumerate(batch.frames):
        told = original_of(frame)
        if told is not None and told[0] == _PROTOCOL:
            version = "2.0" if ".v2." in told[2] else "1.0"
            content_type, header = CONTENT_TYPES[version]
            yield Post(
                body=told[3],
                content_type=content_type,
                headers={"x-prometheus-remote-write-version": header},
                key=f"{batch.id}-o{number}",
                sort=_PROTOCOL,
                rows=max(1, rows_of_original(frame)),
            )


def _without_what_came_so(batch: Batch) -> Batch:
    frames = (frame for frame in batch.frames if not is_beside_original(frame, _PROTOCOL))
    return replace(batch, frames=tuple(frames))


class _Filling:
    """The request that takes more."""

    def __init__(self, batch: str, version: str) -> None:
        self._batch = batch
        self._version = version
        self._number = 0
        self._series: dict[Any, list[Series]] = {}
        self._rows = self._rejected = 0
        self._problem = ""

    @property
    def series_count(self) -> int:
        return len(self._series)

    def add(self, step: Step, series: list[Series]) -> None:
        if step.problem:
            self._rejected, self._problem = self._rejected + 1, step.problem
            return
        self._rows += 1
        for each in series:
            # The same series again: samples of one series stand together, in their order.
            known = self._series.get(each.labels)
            self._series[each.labels] = [*known, each] if known else [each]

    def take(self) -> Post:
        """With the last value of each series alone in reserve.

        Who has the batch already refuses what lies before the last value, and takes that as known.
        """
        self._number += 1
        series = [_joined(many) for many in self._series.values()]
        post = self._post(series)
        if any(len(each.samples) > 1 for each in series):
            last = replace(post, body=b"")
            post = replace(post, instead=partial(self._with_last, last, series))
        self._series, self._problem = {}, ""
        self._rows = self._rejected = 0
        return post

    def _with_last(self, post: Post, series: list[Series]) -> Post:
        ends = [replace(each, samples=each.samples[-1:]) for each in series]
        return replace(post, body=self._write(ends))

    def _write(self, series: list[Series]) -> bytes:
        return request_2(series) if self._version == "2.0" else request_1(series)

    def _post(self, series: list[Series]) -> Post:
        content_type, version = CONTENT_TYPES[self._version]
        return Post(
            body=self._write(series),
            content_type=content_type,
            headers={"x-prometheus-remote-write-version": version},
            key=f"{self._batch}-{self._number}",
            rows=self._rows,
            rejected=self._rejected,
            problem=self._problem,
        )


def _joined(many: list[Series]) -> Series:
    """One series with all its values; of native histograms the last one tells of all."""
    if len(many) == 1 or many[-1].native:
        return many[-1]
    samples = tuple(sample for each in many for sample in each.samples)
    last = many[-1]
    return Series(labels=last.labels, samples=samples, total=last.total, family=last.family)


def _points_in(batch: Batch) -> int:
    return sum(
        block.rows for frame in batch.frames for block in frame.blocks if block.kind == "point"
    )
