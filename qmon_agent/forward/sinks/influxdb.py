"""InfluxDB 1, 2 and 3, and VictoriaMetrics, by line protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Literal, cast
from urllib.parse import urlencode

from qmon_agent.domain.bounds import Amount
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.routing import speaker_of
from qmon_agent.forward.batch import Batch
from qmon_sdk.protocol.buckets import quantile
from qmon_sdk.protocol.signals import Point

from . import Delivery
from ._documents import Document, documents_of, pieces_of
from ._http import Answer, EndpointSink, Post, judged

_DROPPED = re.compile(rb"partial write:.*?dropped=(\d+)", re.DOTALL)
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_NO_SUCH_PLACE = 404
_NAME = str.maketrans({",": r"\,", " ": r"\ ", "\n": " "})
_TAG = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": " ", "\\": "/"})


class InfluxdbSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """Points as lines: a counter's delta and a gauge's value as `value`, distributions with more.

    The same tags at the same time are the same point there, so what comes again changes nothing.
    """

    endpoint: str
    """Where to, as `http://influxdb:8086`; the path is added."""
    api: Literal["v1", "v2"] = "v2"
    """Whether it has databases (`v1`) or buckets (`v2`)."""
    database: str = ""
    """Of `v1`: where to write; it has to be there."""
    retention_policy: str = ""
    """Of `v1`: which one, if not the default."""
    org: str = ""
    """Of `v2`: whose bucket."""
    bucket: str = ""
    """Of `v2`: where to write; it has to be there."""
    token: str = ""
    """Of `v2`; in `v1`, put user and password into the endpoint or into `headers`."""
    max_rows: Amount = 5000
    """How many lines go into one request."""

    def __post_init__(self) -> None:
        EndpointSink.__post_init__(self)
        if not (self.database if self.api == "v1" else self.bucket):
            option = "database" if self.api == "v1" else "bucket"
            raise ConfigError(option, f"api {self.api} writes to one")

    def posts(self, batch: Batch) -> Iterator[Post]:
        headers = {"authorization": f"Token {self.token}"} if self.token else {}
        seen: set[tuple[str, int]] = set()
        for number, documents in enumerate(
            pieces_of(documents_of(batch, ("point",)), self.max_rows), 1
        ):
            lines = [line for each in documents if (line := _line(each, seen))]
            lost = len(documents) - len(lines)
            yield Post(
                path=self._path(),
                body="\n".join(lines).encode("utf-8", "replace"),
                content_type="text/plain; charset=utf-8",
                headers=headers,
                key=f"{batch.id}-{number}",
                rows=len(lines),
                rejected=lost,
                problem="no finite number" if lost else "",
            )

    def judge(self, post: Post, answer: Answer) -> Delivery:
        """Lines that do not fit are told as a number; a place not there may still come."""
        dropped = _DROPPED.search(answer.body)
        if dropped and not answer.is_well:
            why = answer.body[:200].decode("utf-8", "replace").strip()
            rejected = min(post.rows, int(dropped[1]))
            return Delivery(outcome="delivered", detail=why, rejected=rejected)
        if answer.status == _NO_SUCH_PLACE:
            return Delivery(outcome="retry", detail="HTTP 404: no such database or bucket")
        return judged(post, answer, self.endpoint)

    def _path(self) -> str:
        if self.api == "v1":
            where = {"db": self.database, "rp": self.retention_policy, "precision": "ns"}
            return "/write?" + urlencode({key: value for key, value in where.items() if value})
        where = {"org": self.org, "bucket": self.bucket, "precision": "ns"}
        return "/api/v2/write?" + urlencode({key: value for key, value in where.items() if value})


def _line(document: Document, seen: set[tuple[str, int]]) -> str:
    """Nothing for what is no finite number: line protocol has no word for it."""
    point = cast("Point", document.row)
    fields = _fields(point)
    if not fields:
        return ""
    tags = {**document.resource, **point.attributes, "process": speaker_of(document.frame).hex()}
    series = (point.metric or "_").translate(_NAME) + "".join(
        f",{(key or '_').translate(_TAG)}={value.translate(_TAG)}"
        for key, value in sorted(tags.items())
        if value
    )
    time = max(0, point.time)
    # Two values of one moment would be one.
    while (series, time) in seen:
        time += 1
    seen.add((series, time))
    told = ",".join(f"{key}={value}" for key, value in fields.items())
    return f"{series} {told} {time}"


def _fields(point: Point) -> dict[str, str]:
    if point.kind != "distribution":
        return {"value": repr(point.value)} if isfinite(point.value) else {}
    numbers = {"sum": point.value, "min": point.minimum, "max": point.maximum}
    numbers |= {name: quantile(point.buckets, q) for name, q in _QUANTILES.items()}
    told = {name: repr(number) for name, number in numbers.items() if isfinite(number)}
    return {"count": f"{point.count}i", **told}
