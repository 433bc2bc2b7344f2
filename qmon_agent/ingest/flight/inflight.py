"""The spans that were open at a death: which of them it was about, and how they stood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from qmon_sdk.protocol.flight_reader import OpenSpan

_DEEPEST = 1_024


def innermost(spans: Sequence[OpenSpan], thread: int = 0) -> OpenSpan | None:
    """The span that the death was about.

    It has no open span inside, and is the last to have begun in its thread: in the one that is
    known to have failed, else in the one where most was going on.
    """
    above = {open_span.span.parent_id for open_span in spans}
    leaves = [open_span for open_span in spans if open_span.span.span_id not in above]
    if thread and any(leaf.thread == thread for leaf in leaves):
        leaves = [leaf for leaf in leaves if leaf.thread == thread]
    busy = Counter(open_span.thread for open_span in spans)
    return max(leaves, key=lambda leaf: (busy[leaf.thread], leaf.span.time), default=None)


def chain_of(leaf: OpenSpan | None, spans: Iterable[OpenSpan]) -> list[OpenSpan]:
    """The open spans around one, outermost first, itself last."""
    by_id = {open_span.span.span_id: open_span for open_span in spans}
    chain: list[OpenSpan] = []
    met: set[str] = set()
    while leaf is not None and leaf.span.span_id not in met and len(chain) < _DEEPEST:
        met.add(leaf.span.span_id)
        chain.append(leaf)
        leaf = by_id.get(leaf.span.parent_id)
    return chain[::-1]


def about(open_span: OpenSpan) -> dict[str, str]:
    """What the span's text, or else its name, says, under the name it has elsewhere."""
    text = open_span.text
    method, space, path = (text or open_span.span.name).partition(" ")
    if space and path.startswith("/") and method.isupper():
        return {"http.request.method": method, "url.path": path}
    if text.startswith("/"):
        return {"url.path": text}
    return {"qmon.about": text} if text else {}
