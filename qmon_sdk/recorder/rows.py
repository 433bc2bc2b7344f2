"""Finished spans, from flat rows of integers and references to a block of columns."""

from __future__ import annotations

from time import perf_counter_ns, time_ns

from qmon_sdk.protocol.arrays import U32, U64, packed
from qmon_sdk.protocol.columns import Block, labels, words

from .cells import WIDTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_U64 = (1 << 64) - 1

MORE = "\0more"
"""Under this key among a row's attributes, what has columns of its own: `(events, links, began)`.

`events` and `links` are JSON, as `protocol.signals.Span` has them; `began` is when the span began,
in nanoseconds since 1970, where somebody said so, or `None`.
"""


class Site:
    """Where spans come from: what all the spans of one place in the code have in common."""

    __slots__ = ("attributes", "kind", "metric", "name")

    def __init__(
        self,
        name: str,
        *,
        kind: str = "internal",
        attributes: dict[str, str] | None = None,
        metric: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes or {}
        self.metric = metric


def take(rows: list[Any], most: int) -> list[list[Any]]:
    """Take up to `most` rows off the front, as columns, while their thread may add to the back."""
    end = min(len(rows), most * WIDTH)
    columns = [rows[place:end:WIDTH] for place in range(WIDTH)]
    del rows[:end]
    return columns


def span_block(
    columns: list[list[Any]], scrub: Callable[[dict[str, Any]], dict[str, str]]
) -> Block:
    """Write columns of rows as a block of spans: a pass for each column, none for each row."""
    sites, scopes, statuses, highs, lows, spans, parents, starts, durations, extras = columns
    names, kinds, attributes = _seen(sites, ("name", "kind", "attributes"))
    users, sessions = _seen(scopes, ("user_id", "session_id"))
    ago = time_ns() - perf_counter_ns()
    events: Any = ""
    links: Any = ""
    if extras.count(None) < len(extras):
        events, links = _told_apart(extras, starts, ago)
        attributes = _attributes(sites, extras, scrub)
    return Block(
        kind="span",
        rows=len(sites),
        columns=(
            # As unsigned, which is quicker to write, and the same bytes for what is not negative.
            ["o", ago, packed(U64, starts)],
            _trace_ids(highs, lows),
            _span_ids(spans),
            _span_ids(parents),
            names,
            kinds,
            packed(U64, durations),
            _words(statuses),
            users,
            sessions,
            attributes,
            events,
            links,
        ),
    )


def _told_apart(extras: Sequence[Any], starts: list[Any], ago: int) -> tuple[Any, Any]:
    """Take out of the attributes what has columns of its own, and put beginnings into theirs."""
    told = [
        (place, extra.pop(MORE))
        for place, extra in enumerate(extras)
        if extra is not None and MORE in extra
    ]
    if not told:
        return "", ""
    events, links = [""] * len(extras), [""] * len(extras)
    for place, (happened, linked, began) in told:
        events[place], links[place] = happened, linked
        if began is not None:
            starts[place] = (began - ago) & _U64  # what is negative is written as signed
    return words(events), words(links)


def _trace_ids(highs: Sequence[int], lows: Sequence[int]) -> Any:
    """Write trace ids: as one text when all rows are of one trace."""
    if _alike(lows) and _alike(highs):
        return f"{highs[0]:016x}{lows[0]:016x}"
    return ["x2", packed(U64, highs), packed(U64, lows)]


def _span_ids(ids: Sequence[int]) -> Any:
    if _alike(ids):
        return f"{ids[0]:016x}" if ids[0] else ""
    return ["x1", packed(U64, ids)]


def _alike(values: Sequence[Any]) -> bool:
    """Say whether all are the same: quick when they are, and when the last is not the first."""
    return bool(values[0] == values[-1] and values.count(values[0]) == len(values))


def _seen(holders: Sequence[Any], fields: tuple[str, ...]) -> list[Any]:
    """Write texts that belong to few objects seen many times: look at each object once."""
    if _alike(holders):
        return [getattr(holders[0], field) for field in fields]
    distinct = dict.fromkeys(holders)
    index = {holder: place for place, holder in enumerate(distinct)}
    places = packed(U32, map(index.__getitem__, holders))
    return [["d", places, [getattr(holder, field) for holder in distinct]] for field in fields]


def _words(values: Sequence[str]) -> Any:
    if _alike(values):
        return values[0]
    index = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return ["d", packed(U32, map(index.__getitem__, values)), list(index)]


def _attributes(
    sites: Sequence[Site], extras: Sequence[Any], scrub: Callable[[dict[str, Any]], dict[str, str]]
) -> Any:
    """Write attributes that are not the same for all spans of a site."""
    return labels(
        [
            site.attributes if extra is None else {**site.attributes, **scrub(extra)}
            for site, extra in zip(sites, extras, strict=True)
        ]
    )
