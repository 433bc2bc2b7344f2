"""What is measured while it runs, and the budgets that it is held to."""

from __future__ import annotations

import statistics
import time
from contextlib import suppress

import psutil

MIB = 1 << 20
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
SETTLED = 0.33  # before this share of the run, memory may grow: caches fill, modules load

# Twice or thrice what a busy machine needs; what is wanted of an idle one stands in the docs.
BUDGETS = {
    "main_rss_grown_mib": ("memory of the main process, growth by its slope, MiB", 20.0),
    "main_rss_most_mib": ("memory of the main process, most, MiB", 250.0),
    "worker_rss_most_mib": ("memory of the store worker, most, MiB", 1_200.0),
    "fds_grown": ("file descriptors, grown by", 24.0),
    "threads_grown": ("threads, grown by", 8.0),
    "bytes_per_row": ("disk, bytes for each row stored (without the journal)", 800.0),
    "journal_mib": ("disk, the journal, MiB", 300.0),
    "ack_p99_s": ("until acknowledged, p99, s", 0.75),
    "seen_p99_s": ("event until seen by query, p99, s", 3.0),
    "not_stored": ("rows acknowledged and not stored", 0.0),
    "books_off": ("books that do not add up", 0.0),
    "failures": ("requests refused or broken", 0.0),
}


class Watch:
    """Looks at the agent's processes and disk, again and again."""

    def __init__(self, place, loads):
        self._place, self._loads = place, loads
        self._main = psutil.Process(place.agent.pid)
        self.began = time.monotonic()
        self.looks = []
        self.acks, self.seen = [], []

    def look(self):
        """Once more."""
        worker_rss = 0
        for child in self._main.children(recursive=True):
            with suppress(psutil.Error):
                worker_rss += child.memory_info().rss
        acks = [one for load in self._loads if load.name != "Asking" for one in load.taken()]
        seen = [one for load in self._loads if load.name == "Asking" for one in load.taken()]
        self.acks += acks
        self.seen += seen
        journal = size_of(self._place.state / "journal")
        self.looks.append(
            {
                "at_s": round(time.monotonic() - self.began, 1),
                "main_mib": self._main.memory_info().rss / MIB,
                "worker_mib": worker_rss / MIB,
                "fds": self._main.num_fds(),
                "threads": self._main.num_threads(),
                "disk_mib": size_of(self._place.state) / MIB,
                "journal_mib": journal / MIB,
                "ack_p99_ms": 1000 * p99(acks),
                "seen_p99_ms": 1000 * p99(seen),
            }
        )
        return self.looks[-1]

    def figures(self, stored, rows, books):
        """Everything that has a budget."""
        looks = self.looks
        half = [look for look in looks if look["at_s"] > SETTLED * looks[-1]["at_s"]]
        beside = looks[-1]["disk_mib"] - looks[-1]["journal_mib"]
        return {
            "main_rss_grown_mib": slope(half, "main_mib") * (half[-1]["at_s"] - half[0]["at_s"]),
            "main_rss_most_mib": max(look["main_mib"] for look in looks),
            "worker_rss_most_mib": max(look["worker_mib"] for look in looks),
            "fds_grown": grown(half, "fds"),
            "threads_grown": grown(half, "threads"),
            "bytes_per_row": beside * MIB / max(1, rows),
            "journal_mib": max(look["journal_mib"] for look in looks),
            "ack_p99_s": p99(self.acks),
            "seen_p99_s": p99(self.seen),
            "not_stored": max(0, sum(load.rows_kept for load in self._loads) - stored),
            "books_off": 0 if books["adds_up"] else 1,
            "failures": sum(load.failures for load in self._loads),
        }


def size_of(folder):
    """What its files take; one that goes meanwhile takes nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_blocks * 512
    return total


def p99(values):
    """The largest but for one in a hundred."""
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else sum(values)


def slope(looks, name):
    """What it grows by in a second, by least squares."""
    if len(looks) < 3:
        return 0.0
    times, values = [look["at_s"] for look in looks], [look[name] for look in looks]
    return statistics.linear_regression(times, values).slope


def grown(looks, name):
    """By how much the last quarter is above the first."""
    quarter = max(1, len(looks) // 4)
    first, last = looks[:quarter], looks[-quarter:]
    return max(look[name] for look in last) - max(look[name] for look in first)


def broken(figures):
    """Which budgets do not hold."""
    return [name for name, (_, most) in BUDGETS.items() if figures[name] > most]


def table(figures):
    """Figures beside their budgets, as Markdown."""
    lines = ["| | measured | budget | |", "|---|---:|---:|---|"]
    over = broken(figures)
    for name, (what, most) in BUDGETS.items():
        mark = "**broken**" if name in over else "ok"
        lines.append(f"| {what} | {figures[name]:,.3g} | {most:,.3g} | {mark} |")
    return "\n".join(lines)


def chart(looks):
    """A line of bars for each of what was looked at, over time."""
    told = ("main_mib", "worker_mib", "fds", "threads", "disk_mib", "ack_p99_ms", "seen_p99_ms")
    return "\n".join(f"{name:12} {bars([look[name] for look in looks])}" for name in told)


def bars(values):
    """At most `WIDTH` of them, each the most of its part; the least and the most beside them."""
    step = max(1, -(-len(values) // WIDTH))
    parts = [max(values[at : at + step]) for at in range(0, len(values), step)]
    least, most = min(parts), max(parts)
    spread = (most - least) or 1.0
    drawn = "".join(BARS[round((value - least) / spread * (len(BARS) - 1))] for value in parts)
    return f"{drawn}  {least:,.1f} to {most:,.1f}"
