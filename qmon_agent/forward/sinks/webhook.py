"""Whoever takes signals as JSON by POST, signed by Standard Webhooks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from qmon_agent.domain.bounds import Amount
from qmon_agent.domain.kinds import Kind
from qmon_agent.domain.routing import speaker_of
from qmon_agent.domain.signing import key_of, signed_headers
from qmon_agent.forward.batch import Batch

from ._documents import Document, documents_of, encode, pieces_of, told_time
from ._http import EndpointSink, Post


class WebhookSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """`secrets` sign by Standard Webhooks, each with one signature so that they can be rotated.

    `webhook-id` is the same whenever the same signals are posted again.
    """

    endpoint: str
    """Where to, in full."""
    secrets: tuple[str, ...] = ()
    """Keys to sign with, `whsec_` and base64 each; all of them sign."""
    kinds: tuple[Kind, ...] = ()
    """Which kinds of signals go there; all if none are named."""
    max_rows: Amount = 100
    """How many signals go into one request."""
    compress: bool = False
    """Whether bodies are sent as gzip; what is signed is the body before that."""
    _keys: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        EndpointSink.__post_init__(self)
        self._keys = tuple(key_of(secret) for secret in self.secrets)

    def posts(self, batch: Batch) -> Iterator[Post]:
        pieces = pieces_of(documents_of(batch, self.kinds), self.max_rows)
        for number, documents in enumerate(pieces, 1):
            key = f"{batch.id}-{number}"
            body = encode(
                {
                    "type": "qmon.signals",
                    "timestamp": told_time(max(each.frame.sent for each in documents)),
                    "data": {"batch": batch.id, "signals": [_told(each) for each in documents]},
                }
            )
            yield Post(body=body, key=key, rows=len(documents))

    def headers_of(self, post: Post) -> dict[str, str]:
        """Signed when it is sent: who checks a signature looks at its time as well."""
        stamp = str(int(time.time()))
        signed = signed_headers(self._keys, name=post.key, stamp=stamp, body=post.body)
        return EndpointSink.headers_of(self, post) | signed


def _told(document: Document) -> dict[str, object]:
    return {
        "kind": document.kind,
        "line": document.line,
        "time": told_time(document.row.time),
        "resource": {"process": speaker_of(document.frame).hex(), **document.resource},
        "fields": document.row.as_dict(),
    }
