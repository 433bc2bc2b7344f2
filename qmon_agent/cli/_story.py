"""The story of an error: what was said, where, to whom, and what was going on at the time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qmon_agent.cli._shown import printable

Row = Mapping[str, Any]

_BARS = "▁▂▃▄▅▆▇█"
_MOST_LINES = 8
_MOST_FRAMES = 6
_MOST_SPANS = 12
_MOST_CRUMBS = 5
_LONGEST = 160
_SECOND_MS = 1_000
_DEEPEST = 20


def story_of(row: Row) -> Iterator[str]:
    """Lines without indentation, safe for a terminal."""
    said = row.get("attributes")
    attributes: Mapping[str, str] = said if isinstance(said, dict) else {}
    message = str(row.get("message") or "").splitlines() or [""]
    for line in message[:_MOST_LINES]:
        yield _short(line)
    yield from _labelled("where", _whereabouts(row, attributes))
    yield from _labelled("stack", _frames(row, beside="death.open_spans" in attributes))
    yield from _labelled("open", _open_spans(_json(attributes.get("death.open_spans"))))
    yield from _labelled("memory", _series(_json(attributes.get("death.memory"))))
    yield from _labelled("steps", _crumbs(_json(attributes.get("breadcrumbs"))))
    evidence = attributes.get("death.evidence", "")
    yield from _labelled("known by", [_short(part) for part in evidence.split("; ") if part])


def _labelled(label: str, lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else label:<9}{line}"


def _whereabouts(row: Row, attributes: Mapping[str, str]) -> Iterator[str]:
    request = " ".join(
        attributes[key] for key in ("http.request.method", "url.path") if attributes.get(key)
    )
    parts = [
        ("", row.get("culprit")),
        ("", request),
        ("user ", row.get("user_id")),
        ("session ", row.get("session_id")),
        ("trace ", row.get("trace_id")),
    ]
    words = [f"{label}{printable(str(value))}" for label, value in parts if value]
    if words:
        yield " · ".join(words)


def _frames(row: Row, *, beside: bool) -> Iterator[str]:
    """The innermost frames of the exception itself, innermost first.

    `beside` open spans, only where they are calls: spans in the place of calls have no line.
    """
    document = _json(row.get("stack"))
    chain = document.get("chain") if isinstance(document, dict) else None
    first = chain[0] if isinstance(chain, list) and chain and isinstance(chain[0], dict) else {}
    frames = [frame for frame in first.get("frames") or () if isinstance(frame, dict)]
    if beside and not any(frame.get("line") for frame in frames):
        return
    for frame in frames[-_MOST_FRAMES:][::-1]:
        yield _short(f"{frame.get('file')}:{frame.get('line')} in {frame.get('function')}")


def _open_spans(told: Any) -> Iterator[str]:
    """A tree, outermost first; spans whose parent is not among them are roots."""
    spans = [span for span in told if isinstance(span, dict)] if isinstance(told, list) else []
    known = {span.get("span_id") for span in spans}
    roots = [(0, span) for span in spans if span.get("parent_id") not in known]
    left, shown = roots[::-1], 0
    while left and shown < _MOST_SPANS:
        depth, span = left.pop()
        shown += 1
        yield _short(_branch(depth, span))
        inside = [each for each in spans if each.get("parent_id") == span.get("span_id")]
        left += [(min(depth + 1, _DEEPEST), each) for each in inside[::-1]]
    if shown < len(spans):
        yield f"… and {len(spans) - shown} more"


def _branch(depth: int, span: dict[str, Any]) -> str:
    text = f"  {span['text']}" if span.get("text") else ""
    branch = f"{'  ' * (depth - 1)}└ " if depth else ""
    return f"{branch}{span.get('name')}  {_age(span.get('open_ms'))}{text}"


def _series(told: Any) -> Iterator[str]:
    """A sparkline from nothing to the most, and the last value."""
    pairs = [pair for pair in told if isinstance(pair, list)] if isinstance(told, list) else []
    values = [pair[1] for pair in pairs if len(pair) > 1 and isinstance(pair[1], (int, float))]
    if not values:
        return
    most = max(values) or 1
    bars = (_BARS[min(int(value / most * len(_BARS)), len(_BARS) - 1)] for value in values)
    yield f"{''.join(bars)} {values[-1] / (1 << 20):.0f} MiB"


def _crumbs(told: Any) -> Iterator[str]:
    crumbs = [crumb for crumb in told if isinstance(crumb, dict)] if isinstance(told, list) else []
    for crumb in crumbs[-_MOST_CRUMBS:]:
        category = f"{crumb['category']}: " if crumb.get("category") else ""
        yield _short(f"{category}{crumb.get('message') or ''}")


def _age(milliseconds: Any) -> str:
    if not isinstance(milliseconds, int):
        return ""
    if milliseconds >= _SECOND_MS:
        return f"{milliseconds / _SECOND_MS:.1f} s"
    return f"{milliseconds} ms"


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, TypeError, RecursionError):
        return None
