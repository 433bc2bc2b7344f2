"""Datadog: points as series, texts as logs, and check-ins as events."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, cast

from qmon_agent.domain.bounds import Amount
from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks._documents import Document, documents_of, encode, pieces_of
from qmon_sdk.protocol.buckets import quantile
from qmon_sdk.protocol.signals import Error, Point

from ._http import HttpSink, Post

_COUNT, _GAUGE = 1, 3
_MS, _S = 1_000_000, 1_000_000_000
_QUANTILES = {"median": 0.5, "95percentile": 0.95, "99percentile": 0.99}
_LOGS = ("log", "error", "event", "session", "finding")


class DatadogSink(HttpSink, kw_only=True, forbid_unknown_fields=True):
    """Series by API v2, logs by API v2, events by API v1; spans are for Datadog's own agent."""

    api_key: str
    """An API key of the organisation."""
    site: str = "datadoghq.com"
    """Which Datadog: `datadoghq.eu`, `us5.datadoghq.com` and so on."""
    endpoint: str = ""
    """Where to instead of the site, for all three: a proxy of theirs."""
    tags: tuple[str, ...] = ()
    """Further tags, `key:value` each."""
    max_rows: Amount = 500
    """How many series or logs go into one request."""

    def __post_init__(self) -> None:
        if not self.api_key:
            raise ConfigError("api_key", "Datadog takes nothing without one")
        HttpSink.__post_init__(self)

    def place(self) -> str:
        return self.endpoint or f"https://api.{self.site}"

    def posts(self, batch: Batch) -> Iterator[Post]:
        points = pieces_of(documents_of(batch, ("point",)), self.max_rows)
        for number, documents in enumerate(points, 1):
            yield self._series(documents, f"{batch.id}-series-{number}")
        logs = pieces_of(documents_of(batch, _LOGS), self.max_rows)
        for number, documents in enumerate(logs, 1):
            body = encode([self._log(each) for each in documents])
            key = f"{batch.id}-logs-{number}"
            place = self.endpoint or f"https://http-intake.logs.{self.site}"
            yield self._post_of("/api/v2/logs", body, key=key, rows=len(documents), place=place)
        for document in documents_of(batch, ("checkin",)):
            key = f"{batch.id}-event-{document.line}"
            body = encode(self._event(document, key))
            yield self._post_of("/api/v1/events", body, key=key, rows=1)

    def _post_of(self, path: str, body: bytes, *, key: str, rows: int, place: str = "") -> Post:
        headers = {"dd-api-key": self.api_key}
        return Post(path=path, body=body, headers=headers, key=key, rows=rows, place=place)

    def _series(self, documents: list[Document], key: str) -> Post:
        series = [each for document in documents for each in self._told(document)]
        return self._post_of(
            "/api/v2/series", encode({"series": series}), key=key, rows=len(documents)
        )

    def _told(self, document: Document) -> Iterator[dict[str, Any]]:
        point = cast("Point", document.row)
        for suffix, kind, value in _numbers(point):
            if isfinite(value):
                yield {
                    "metric": f"{point.metric}{suffix}",
                    "type": kind,
                    "points": [{"timestamp": max(0, point.time) // _S, "value": value}],
                    "tags": self._tags(document),
                    "resources": [{"type": "host", "name": document.frame.resource.host}],
                }

    def _tags(self, document: Document) -> list[str]:
        who = document.frame.resource
        unified = {"service": who.service, "env": who.environment, "version": who.release}
        told = {**document.row.attributes, **{key: text for key, text in unified.items() if text}}
        return [*self.tags, *(f"{key}:{value}" for key, value in sorted(told.items()))]

    def _log(self, document: Document) -> dict[str, Any]:
        told: dict[str, Any] = {
            **document.fields(),
            "message": document.sentence,
            "status": document.level,
            "timestamp": max(0, document.row.time) // _MS,
            "ddsource": "qmon",
            "ddtags": ",".join(self._tags(document)),
            "hostname": document.frame.resource.host,
            "service": document.frame.resource.service,
            "qmon.kind": document.kind,
        }
        if document.kind == "error":
            told["error"] = _error(cast("Error", document.row))
        return told

    def _event(self, document: Document, key: str) -> dict[str, Any]:
        row = document.row
        return {
            "title": document.sentence,
            "text": document.sentence,
            "date_happened": max(0, row.time) // _S,
            "alert_type": "error" if document.level == "error" else "info",
            "aggregation_key": row.monitor,
            "host": document.frame.resource.host,
            "tags": [*self._tags(document), f"monitor:{row.monitor}", f"status:{row.status}"],
            "source_type_name": "qmon",
            "device_name": key,
        }


def _numbers(point: Point) -> Iterator[tuple[str, int, float]]:
    """What a point is there: suffix, type and value."""
    if point.kind == "counter":
        yield "", _COUNT, point.value
    elif point.kind != "distribution":
        yield "", _GAUGE, point.value
    else:
        yield ".count", _COUNT, point.count
        yield ".sum", _COUNT, point.value
        yield ".min", _GAUGE, point.minimum
        yield ".max", _GAUGE, point.maximum
        yield ".avg", _GAUGE, point.value / max(1, point.count)
        yield from (
            (f".{name}", _GAUGE, quantile(point.buckets, q)) for name, q in _QUANTILES.items()
        )


def _error(error: Error) -> dict[str, str]:
    from qmon_agent.forward.otlp.logs import stacktrace_of

    return {"kind": error.type, "message": error.message, "stack": stacktrace_of(error.stack)}
