"""The figures as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qmon_agent.cli._described import described
from qmon_agent.cli._shown import printable

Row = Mapping[str, Any]
_ROWS = 8
_UNITS = ("", "k", "M", "G", "T")
_THOUSAND = 1000
_WIDEST = 40


def lines_of(shown: Row, *, rows: int = _ROWS) -> Iterator[str]:
    """A screen: the agent and its host, then who sends, what explodes, and where it goes."""
    yield from _head(shown)
    yield from _table("PEERS", _PEER, map(_of_talker, shown["peers"]), most=rows)
    yield from _table("SERVICES", _SERVICE, map(_of_talker, shown["services"]), most=rows)
    yield from _table("METRICS", _METRIC, map(_of_metric, shown["metrics"]), most=rows)
    yield from _table("PROCESSORS", _PROCESSOR, shown["processors"], most=rows)
    yield from _table("SINKS", _SINK, shown["sinks"], most=rows)
    for name, said in shown["sources"].items():
        yield f"source {name}: {described(said, beside=())}"


_PEER = ("name", "program", "frames/s", "bytes/s", "signals/s", "series", "new/min", "over",
         "rejected", "refused")  # fmt: skip
_SERVICE = ("name", "frames/s", "bytes/s", "signals/s", "series", "new/min", "over")
_METRIC = ("metric", "service", "series", "new/min", "over", "labels")
_PROCESSOR = ("name", "kind", "came_per_s", "went_per_s", "dropped_per_s", "held", "failures",
              "cpu_percent")  # fmt: skip
_SINK = ("name", "sent_per_s", "lag", "retries", "dead_batches", "breaker", "error")


def _head(shown: Row) -> Iterator[str]:
    agent, host, intake = shown["agent"], shown["host"], shown["intake"]
    load = " ".join(f"{one:.2f}" for one in host["load"])
    yield (
        f"host: cpu {host['cpu_percent']} % of {host['cpus']}, load {load},"
        f" memory {_short(host['memory_used_bytes'])}B of {_short(host['memory_bytes'])}B"
    )
    memory = agent["memory"]
    level = "" if memory["level"] == "free" else f", {memory['level'].upper()}"
    yield (
        f"agent: pid {agent['pid']}, cpu {agent['cpu_percent']} %,"
        f" memory {_short(memory['resident_bytes'])}B of {_short(memory['limit_bytes'])}B{level}"
    )
    yield (
        f"in: {_short(intake['received'])} frames/s, {_short(intake['bytes'])}B/s,"
        f" {_short(intake['duplicate'])} duplicate/s, {_short(intake['rejected'])} rejected/s,"
        f" {_short(intake['refused'] + intake['told_to_wait'])} refused/s"
    )
    yield "active: " + ", ".join(
        f"{_short(each['active'])} of {_short(each['most'])} {name.replace('_', ' ')}"
        + (f" ({_short(each['over'])} over)" if each["over"] else "")
        for name, each in shown["cardinality"].items()
    )
    journal, lag = shown["journal"], shown["lag"]
    yield (
        f"journal: {_short(journal['bytes'])}B, {_short(journal['pending_bytes'])}B not on disk,"
        f" rules {lag['rules']} and store {lag['store']} records behind"
        + (f", TROUBLE: {printable(journal['trouble'])}" if journal["trouble"] else "")
    )


def _of_talker(row: Row) -> Row:
    signals = sorted(row["signals_per_s"].items(), key=lambda each: -each[1])
    return {
        **row,
        "frames/s": row["frames"],
        "bytes/s": row["bytes"],
        "signals/s": " ".join(f"{_short(n)} {kind}" for kind, n in signals if n) or "0",
        "new/min": row["new_series_per_min"],
    }


def _of_metric(row: Row) -> Row:
    labels = " ".join(f"{label}≈{_short(n)}" for label, n in row["labels"].items())
    return {**row, "new/min": row["new_series_per_min"], "labels": labels}


def _table(title: str, columns: Sequence[str], rows: Iterable[Row], *, most: int) -> Iterator[str]:
    rows = [*rows]
    if not rows:
        return
    cells = [[_cell(row.get(name, "")) for name in columns] for row in rows[:most]]
    head = [title, *(name.replace("_", " ") for name in columns[1:])]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    yield ""
    for line in (head, *cells):
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
    if len(rows) > most:
        yield f"… {len(rows) - most} more"


def _cell(value: Any) -> str:
    text = _short(value) if isinstance(value, (int, float)) else printable(str(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _short(number: float) -> str:
    """1234567 as 1.23M."""
    value, unit = float(number), 0
    while abs(value) >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:.3g}{_UNITS[unit]}" if unit or value % 1 else f"{value:.0f}"
