"""One target that is scraped: asked over HTTP, within bounds of time and size."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.exposition_points import Exposition
from qmon_agent.ingest.exposition_text import TextReader
from qmon_agent.ingest.recollection import Recollections
from qmon_sdk.protocol.signals import Point

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
_CHUNK = 64 * 1024
_OF_THE_SYSTEM = re.compile(r"\[Errno -?\d+\] ([^'\")]+)")


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[sources.prometheus.targets]]`: what is asked, and how."""

    url: str
    """Where its numbers are, usually ending in `/metrics`."""
    service: str = ""
    """Whose numbers they are; empty means the host and port of the URL."""
    environment: str = ""
    """Its environment."""
    labels: dict[str, str] = {}
    """Attributes of all its numbers."""
    interval_s: float = 15.0
    """How often it is asked."""
    timeout_s: float = 10.0
    """How long an answer may take, all of it."""
    token: str = ""
    """Sent as `Authorization: Bearer`."""
    username: str = ""
    """With `password`, sent as basic authentication."""
    password: str = ""
    """The password that belongs to `username`."""
    authority: str = ""
    """File of certificates its own must be signed by; empty means the usual ones."""
    certificate: str = ""
    """File of the certificate to show to it."""
    key: str = ""
    """File of that certificate's private key."""
    max_bytes: int = 64 << 20
    """Of one answer, unpacked."""
    max_samples: int = 100_000
    """Of one answer; the whole of a longer one is refused."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("targets", f"{self.url!r} is no http or https URL")
        if not (self.interval_s > 0 and self.timeout_s > 0):
            raise ConfigError("targets", "interval_s and timeout_s are more than nothing")

    @property
    def instance(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2]


class Scrape(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking once."""

    points: list[Point]
    samples: int = 0
    trouble: str = ""
    """Why there is nothing, for a person."""
    reason: str = ""
    """The same in a word, for counting."""


class ScrapeError(Exception):
    """A target that did not answer as it should."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def _why(problem: Exception) -> str:
    """What the operating system said, where it said something; else the whole of it."""
    said = _OF_THE_SYSTEM.search(str(problem))
    return (
        f"it cannot be reached: {said[1]}" if said else f"{type(problem).__name__}: {problem}"[:200]
    )


class Scraper:
    """Asks one target; called on one thread at a time."""

    def __init__(self, target: Target, budget: Recollections | None = None) -> None:
        """`budget`: of what is remembered of the target's lines."""
        self.target = target
        self.exposition = Exposition(
            {"instance": target.instance, **target.labels}, max_samples=target.max_samples
        )
        self.text = TextReader(budget or Recollections(), self.exposition.labelled)
        self._session: Any = None

    def scrape(self) -> Scrape:
        """Asks, and never raises; `up` and how it went are among the points."""
        now = time.time_ns()
        started = time.perf_counter()
        trouble = reason = ""
        points: list[Point] = []
        try:
            text, content_type = self._asked(started + self.target.timeout_s)
            points = self.exposition.points(self._families(text, content_type), now)
        except ScrapeError as problem:
            trouble, reason = str(problem), problem.reason
        except Exception as problem:  # noqa: BLE001 - a parser of somebody else's text may raise anything
            trouble, reason = f"{type(problem).__name__}: {problem}"[:200], "not_readable"
        if trouble:
            points = []
            self.exposition.undo()
            self.exposition.restart()
        samples = 0 if trouble else self.exposition.samples
        points += self._about(now, not trouble, time.perf_counter() - started, samples)
        return Scrape(points=points, samples=samples, trouble=trouble, reason=reason)

    def close(self) -> None:
        self.text.forget()
        if self._session is not None:
            self._session.close()

    def _families(self, text: str, content_type: str) -> Iterable[Any]:
        if "openmetrics" not in content_type:
            return self.text.families(text, most=self.target.max_samples)
        from prometheus_client.openmetrics import parser

        families: Iterable[Any] = parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # theirs
        return families

    def _about(self, now: int, up: bool, took_s: float, samples: int) -> list[Point]:  # noqa: FBT001, PLR0917 - what there is to say, in the order it is said
        told = {
            "up": (float(up), ""),
            "scrape_duration_seconds": (took_s, "s"),
            "scrape_samples_scraped": (float(samples), ""),
        }
        labels = self.exposition.labelled({})
        return [
            Point(time=now, metric=name, value=value, unit=unit, attributes=labels)
            for name, (value, unit) in told.items()
        ]

    def _asked(self, deadline: float) -> tuple[str, str]:
        import requests

        left = self.target.timeout_s
        try:
            with contextlib.closing(
                self._opened().get(self.target.url, timeout=(left, left), stream=True)
            ) as answer:
                if answer.status_code != requests.codes.ok:
                    raise ScrapeError("status", f"it answers {answer.status_code}")
                chunks = answer.iter_content(_CHUNK)
                data = self._bounded(chunks, deadline)
                return data.decode("utf-8", "replace"), answer.headers.get("content-type", "")
        except requests.RequestException as problem:
            raise ScrapeError("not_reached", _why(problem)) from None

    def _bounded(self, chunks: Iterable[bytes], deadline: float) -> bytes:
        parts, size = [], 0
        for chunk in chunks:
            size += len(chunk)
            if size > self.target.max_bytes:
                raise ScrapeError("too_large", f"more than {self.target.max_bytes} bytes")
            if time.perf_counter() > deadline:
                raise ScrapeError("too_slow", f"not all there after {self.target.timeout_s} s")
            parts.append(chunk)
        return b"".join(parts)

    def _opened(self) -> Any:
        if self._session is None:
            import requests

            target = self.target
            session = requests.Session()
            # The environment's proxies and .netrc are meant for programs that ask the world.
            session.trust_env = False
            session.headers.update({"Accept": ACCEPT, "User-Agent": "qmon-agent"})
            if target.username:
                session.auth = (target.username, target.password)
            elif target.token:
                session.headers["Authorization"] = f"Bearer {target.token}"
            session.verify = target.authority or True
            if target.certificate:
                session.cert = (target.certificate, target.key or target.certificate)
            self._session = session
        return self._session
