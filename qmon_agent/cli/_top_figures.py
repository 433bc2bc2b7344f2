"""Rates between two readings of the agent's totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
Row = Mapping[str, Any]


def figures(before: Row, after: Row) -> Document:
    """What happened between two readings, by the second; the busiest first."""
    seconds = max(after["at"] - before["at"], 1e-3)
    return {
        "seconds": round(seconds, 3),
        "agent": _agent(before, after, seconds),
        "host": _host(before["host"], after["host"]),
        "intake": _rates(before["intake"], after["intake"], seconds),
        "cardinality": after["cardinality"],
        "peers": _talkers(before["peers"], after["peers"], seconds),
        "services": _talkers(before["services"], after["services"], seconds),
        "metrics": _metrics(before["metrics"], after["metrics"], seconds),
        "sources": after["sources"],
        "processors": _processors(before["processors"], after["processors"], seconds),
        "sinks": _sinks(before["sinks"], after["sinks"], seconds),
        "journal": after["journal"],
        "lag": after["lag"],
    }


def _agent(before: Row, after: Row, seconds: float) -> Document:
    spent = after["agent"]["cpu_s"] - before["agent"]["cpu_s"]
    return {**after["agent"], "cpu_percent": round(100 * spent / seconds, 1)}


def _host(before: Row, after: Row) -> Document:
    whole = after["cpu_whole_s"] - before["cpu_whole_s"]
    busy = after["cpu_busy_s"] - before["cpu_busy_s"]
    return {**after, "cpu_percent": round(100 * busy / whole, 1) if whole > 0 else 0.0}


def _talkers(before: Row, after: Row, seconds: float) -> list[Document]:
    rows = [
        {
            "name": name,
            "program": now.get("program", ""),
            **_rates(_flat(before.get(name, {})), _flat(now), seconds),
            "signals_per_s": _rates(
                before.get(name, {}).get("signals", {}), now["signals"], seconds
            ),
            "series": now["series"],
            "new_series_per_min": _new_series(before.get(name), now, seconds),
            "over": now["over"],
            "rejected": now["rejected"],
            "refused": now["refused"],
        }
        for name, now in after.items()
    ]
    return sorted(rows, key=lambda row: (row["bytes"], row["refused"], row["series"]), reverse=True)


def _metrics(before: list[Row], after: list[Row], seconds: float) -> list[Document]:
    known = {(row["service"], row["metric"]): row for row in before}
    rows = [
        {
            **{name: now[name] for name in ("service", "metric", "series", "series_most", "over")},
            "new_series_per_min": _new_series(
                known.get((now["service"], now["metric"])), now, seconds
            ),
            "labels": now["labels"],
        }
        for now in after
    ]
    order = ("over", "new_series_per_min", "series")
    return sorted(rows, key=lambda row: [row[name] for name in order], reverse=True)


def _new_series(before: Row | None, after: Row, seconds: float) -> int:
    return round(60 * _grown(before, after, "series_came") / seconds)


def _sinks(before: Row, after: Row, seconds: float) -> list[Document]:
    return [
        {
            "name": name,
            "sent_per_s": round(_grown(before.get(name), now, "sent") / seconds, 1),
            **{key: now[key] for key in ("lag", "retries", "dead_batches", "breaker", "error")},
        }
        for name, now in after.items()
    ]


def _processors(before: Row, after: Row, seconds: float) -> list[Document]:
    earlier = before.get("steps", {})
    names = ("came", "went", "dropped")
    return [
        {
            "name": name,
            "kind": now["kind"],
            **{
                f"{key}_per_s": round(_grown(earlier.get(name), now, key) / seconds, 1)
                for key in names
            },
            "held": now["held"],
            "failures": now["failures"],
            "cpu_percent": round(_grown(earlier.get(name), now, "nanoseconds") / seconds / 1e7, 1),
        }
        for name, now in after.get("steps", {}).items()
    ]


def _flat(row: Row) -> Document:
    return {name: row.get(name, 0) for name in ("frames", "bytes")}


def _rates(before: Row, after: Row, seconds: float) -> Document:
    return {name: round(_grown(before, after, name) / seconds, 1) for name in after}


def _grown(before: Row | None, after: Row, name: str) -> float:
    """How much a total grew; one that was forgotten meanwhile, and began again, did not."""
    return float(max(0, after[name] - (before or {}).get(name, 0)))
