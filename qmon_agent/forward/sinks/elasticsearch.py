"""Elasticsearch and OpenSearch, by bulk requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Amount
from qmon_agent.domain.kinds import Kind
from qmon_agent.domain.routing import speaker_of
from qmon_agent.forward.batch import Batch

from . import Delivery
from ._documents import Document, documents_of, encode, pieces_of, told_time
from ._http import Answer, EndpointSink, Post, judged

_TAKEN = frozenset({200, 201, 409})  # 409: it is there already, from before a crash
_PATH = "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_TOO_MANY, _ITS_FAULT = 429, 500


class ElasticsearchSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """One document per signal, whose id is its batch and line: what comes again is there once."""

    endpoint: str
    """Where to, as `https://elasticsearch:9200`; `/_bulk` is added."""
    index: str = "qmon-{kind}"
    """Index or data stream; `{kind}` is `span`, `log` and so on, `{day}` the day it happened."""
    api_key: str = ""
    """The encoded key; or put user and password into the endpoint."""
    kinds: tuple[Kind, ...] = ()
    """Which kinds of signals go there; all if none are named."""
    max_rows: Amount = 1000
    """How many documents go into one request."""
    _answer_bytes: int = 8 << 20

    def posts(self, batch: Batch) -> Iterator[Post]:
        headers = {"authorization": f"ApiKey {self.api_key}"} if self.api_key else {}
        pieces = pieces_of(documents_of(batch, self.kinds), self.max_rows)
        for number, documents in enumerate(pieces, 1):
            yield Post(
                path=_PATH,
                body=b"".join(self._lines(batch.id, each) for each in documents),
                content_type="application/x-ndjson",
                headers=headers,
                key=f"{batch.id}-{number}",
                rows=len(documents),
            )

    def judge(self, post: Post, answer: Answer) -> Delivery:
        """Each document has an answer of its own; with one that may pass, all are sent again."""
        if not answer.is_well:
            return judged(post, answer, self.endpoint)
        try:
            items = [next(iter(item.values())) for item in _read(answer.body).items]
        except (msgspec.DecodeError, StopIteration):
            return Delivery(outcome="retry", detail="an answer to _bulk that cannot be read")
        wrong = [item for item in items if item.status not in _TAKEN]
        later = [item for item in wrong if item.status == _TOO_MANY or item.status >= _ITS_FAULT]
        if later:
            return Delivery(outcome="retry", detail=f"{len(later)} documents: {_why(later[0])}")
        return Delivery(
            outcome="delivered", rejected=len(wrong), detail=_why(wrong[0]) if wrong else ""
        )

    def _lines(self, batch: str, document: Document) -> bytes:
        time = told_time(document.row.time)
        index = self.index.replace("{kind}", document.kind).replace("{day}", time[:10])
        # Of all operations a data stream takes only this one.
        action = {"create": {"_index": index, "_id": f"{batch}-{document.line}"}}
        return encode(action) + b"\n" + encode(_told(document, time)) + b"\n"


class _Item(msgspec.Struct, frozen=True):
    status: int = 0
    error: dict[str, Any] = {}


class _Answers(msgspec.Struct, frozen=True):
    items: list[dict[str, _Item]] = []


_read = msgspec.json.Decoder(_Answers).decode


def _told(document: Document, time: str) -> dict[str, Any]:
    """Its own fields under `qmon`, beside the few names of the Elastic Common Schema all share."""
    who = document.frame.resource
    told = {
        "@timestamp": time,
        "message": document.sentence,
        "log.level": document.level,
        "service": {
            "name": who.service,
            "version": who.release,
            "environment": who.environment,
            "node": {"name": speaker_of(document.frame).hex()},
        },
        "host": {"name": who.host},
        "labels": document.row.attributes,
    }
    fields = document.fields()
    fields.pop("attributes", None)
    if trace := fields.pop("trace_id", ""):
        told["trace"] = {"id": trace}
    if buckets := fields.pop("buckets", None):
        fields["buckets"] = [[index, buckets[index]] for index in sorted(buckets)]
    return {**told, "qmon": {"signal": document.kind, **fields}}


def _why(item: _Item) -> str:
    told = (str(item.error.get(key, "")) for key in ("type", "reason"))
    return f"{item.status} " + ": ".join(text for text in told if text)[:200]
