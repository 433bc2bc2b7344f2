"""Prometheus's remote read: all series between two times, asked for in slices."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterable

from qmon_agent.domain.errors import StoreError
from qmon_agent.ingest.drawn import Drawn
from qmon_agent.ingest.remote_messages import READ, READ_ANSWER, message_class, unpacked

_TIMEOUT_S = 120.0
_MOST_BYTES = 1 << 30
_REGEX = 2
_HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-read-version": "0.1.0",
}


def read_series(
    address: str, *, metrics: str, begin: int, end: int, token: str = ""
) -> list[Drawn]:
    """Series whose names match a regular expression, from `begin` to before `end`, milliseconds.

    Raises StoreError where there is no answer.
    """
    import cramjam

    request = message_class(READ)()
    query = request.queries.add(start_timestamp_ms=begin, end_timestamp_ms=end - 1)
    query.matchers.add(type=_REGEX, name="__name__", value=metrics)
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    headers = {**_HEADERS, **({"authorization": f"Bearer {token}"} if token else {})}
    answer = message_class(READ_ANSWER)()
    answer.ParseFromString(unpacked(_posted(address, body, headers), most=_MOST_BYTES))
    found: Iterable[Drawn] = (
        Drawn(
            {label.name: label.value for label in one.labels},
            [(sample.timestamp, sample.value) for sample in one.samples],
        )
        for result in answer.results
        for one in result.timeseries
    )
    return [*found]


def _posted(address: str, body: bytes, headers: dict[str, str]) -> bytes:
    if not address.startswith(("http://", "https://")):
        raise StoreError(f"{address} is no address of HTTP")
    url = address.rstrip("/")
    url = url if url.endswith("/read") else f"{url}/api/v1/read"
    asked = urllib.request.Request(url, body, headers)  # noqa: S310 - looked at above
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the same
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as problem:
        told = problem.read(300).decode("utf-8", "replace").strip()
        raise StoreError(f"{url} answers {problem.code}: {told}") from None
    except (OSError, http.client.HTTPException) as problem:
        raise StoreError(f"{url} does not answer: {problem}") from None
