"""A figure: what was measured of us in each run, what was wanted, and the same of our peers."""

from __future__ import annotations

import operator
import statistics
import sys
from dataclasses import asdict, dataclass, field

_SAYS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row. Values are lists, a value for each run; the median is what is told."""

    what: str
    ours: list[float]
    unit: str = ""
    digits: int = 0
    wanted: tuple[str, float] | None = None
    beside: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""
    compared: bool = True  # whether a ratio to the peers says anything

    @property
    def median(self) -> float:
        return statistics.median(self.ours)

    @property
    def met(self) -> bool | None:
        """Whether it is what was wanted; nothing where nothing was."""
        return None if self.wanted is None else _SAYS[self.wanted[0]](self.median, self.wanted[1])

    def said(self, value) -> str:
        return f"{value:,.{self.digits}f}{' ' if self.unit else ''}{self.unit}"

    def document(self) -> dict:
        """As JSON has it."""
        peers = {name: statistics.median(values) for name, values in self.beside.items()}
        ratios = {name: self.median / theirs for name, theirs in peers.items() if theirs}
        said = {"median": self.median, "met": self.met, "peers": peers, "ratios": ratios}
        return {**asdict(self), **said}


def table(figures):
    """Write the figures as Markdown, each beside its peers with the ratio of the same run."""
    lines = ["| | qmon | wanted | peers in the same run |", "|---|---|---|---|"]
    for one in figures:
        wanted = f"{_sign(one.wanted[0])} {one.said(one.wanted[1])}" if one.wanted else ""
        peers = " · ".join(_beside(one, name) for name in one.beside)
        short = "" if one.met in {None, True} else " (short)"
        lines.append(f"| {one.what} | {one.said(one.median)}{short} | {wanted} | {peers} |")
    notes = dict.fromkeys(one.note for one in figures if one.note)
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def _beside(one, name):
    theirs = statistics.median(one.beside[name])
    ratio = f" (qmon {one.median / theirs:,.2f} times)" if theirs and one.compared else ""
    return f"{name} {one.said(theirs)}{ratio}"


def _sign(sign):
    return {">=": "≥", "<=": "≤"}[sign]


def progress(line):
    """Say how far it is; what is measured goes to standard output, this does not."""
    print(line, file=sys.stderr, flush=True)
