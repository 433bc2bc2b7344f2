"""Grafana Loki, by its push API in JSON."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_agent.domain.bounds import Amount
from qmon_agent.domain.kinds import Kind
from qmon_agent.forward.batch import Batch

from ._documents import Document, documents_of, encode, pieces_of
from ._http import EndpointSink, Post


class LokiSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """Streams by service, environment, host, kind and level; ids stay inside the lines.

    Loki keeps the same line at the same time in the same stream once, so a batch that comes again
    changes nothing.
    """

    endpoint: str
    """Where to, as `http://loki:3100`; `/loki/api/v1/push` is added."""
    tenant: str = ""
    """The organisation, where there are several."""
    kinds: tuple[Kind, ...] = ("log", "error", "event", "session", "checkin", "finding")
    """Which kinds of signals go there."""
    labels: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
    """Further labels of every stream."""
    max_rows: Amount = 2000
    """How many lines go into one request."""

    def posts(self, batch: Batch) -> Iterator[Post]:
        headers = {"x-scope-orgid": self.tenant} if self.tenant else {}
        pieces = pieces_of(documents_of(batch, self.kinds), self.max_rows)
        for number, documents in enumerate(pieces, 1):
            yield Post(
                path="/loki/api/v1/push",
                body=encode({"streams": self._streams(documents)}),
                headers=headers,
                key=f"{batch.id}-{number}",
                rows=len(documents),
            )

    def _streams(self, documents: list[Document]) -> list[dict[str, object]]:
        """By their labels; the lines of each in the order of their times."""
        streams: dict[tuple[tuple[str, str], ...], list[tuple[int, str]]] = {}
        for document in documents:
            lines = streams.setdefault(self._labels(document), [])
            lines.append((max(0, document.row.time), _line(document)))
        return [
            {"stream": dict(labels), "values": [[str(time), line] for time, line in sorted(lines)]}
            for labels, lines in streams.items()
        ]

    def _labels(self, document: Document) -> tuple[tuple[str, str], ...]:
        who = document.resource
        # A release is new with each deployment: it is in the line.
        who.pop("release", "")
        about = {"kind": document.kind, "level": document.level}
        return tuple(sorted({**self.labels, **who, **about}.items()))


def _line(document: Document) -> str:
    fields = document.fields()
    for known in ("level", "body"):
        fields.pop(known, None)
    release = document.frame.resource.release
    about = {"message": document.sentence, **({"release": release} if release else {})}
    return encode({**about, **fields}).decode()
