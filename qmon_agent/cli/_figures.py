"""The figures of alerting for people: a line each, a chart of the trend, a table of alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from qmon_agent.cli._times import NS

_BARS = " ▁▂▃▄▅▆▇█"
_WIDEST = 60
_TIMES = {
    "time_to_detect": "to detect",
    "time_to_acknowledge": "to acknowledge",
    "time_to_resolve": "to resolve",
}
_TREND = {
    "fired": "fired",
    "acknowledged": "acknowledged",
    "ended_by_themselves": "by themselves",
    "sent": "messages",
}
_MOST_LINES = 20
Document = Mapping[str, Any]


def figure_lines(told: Document) -> Iterator[str]:
    """What `qmon-agent incidents stats` shows."""
    span = f"from {_day(told['since'])} to {_day(told['until'])}"
    yield f"{_counted(told['fired'], 'incident')} fired {span}"
    if told["is_cut"]:
        yield "there is more than is counted: ask for a shorter time"
    yield ""
    for name, words in _TIMES.items():
        yield f"{words:<21}{_times(told[name])}"
    yield f"{'acknowledged':<21}{_percent(told['acknowledged'])}"
    yield f"{'over by themselves':<21}{_percent(told['ended_by_themselves'])} within five minutes"
    yield f"{'noise':<21}{_number(told['noise'])} of 100"
    yield from _quality(told["quality"])
    yield from _trend(told)
    for title, lines in (
        ("alerts, the loudest first", [*map(_alert, told["alerts"])]),
        ("fired again and again", [*map(_flapper, told["flappers"])]),
        ("channels, from decided to arrived", [*map(_channel, told["channels"])]),
        (f"pages at night ({told['zone']})", [*map(_night, told["nights"])]),
    ):
        yield from _part(title, lines)


def bars(values: Sequence[float]) -> str:
    """A text chart: a column for each, or for the sum of neighbours where there are too many."""
    width = -(-len(values) // _WIDEST) or 1
    joined = [sum(values[n : n + width]) for n in range(0, len(values), width)]
    highest = max(joined, default=0) or 1
    # What is not nothing shows, however little it is.
    return "".join(_BARS[-int(-each * (len(_BARS) - 1) // highest)] for each in joined)


def _quality(told: Document) -> Iterator[str]:
    if not told["useful"] + told["noise"]:
        return
    yield f"{'precision':<21}{_percent(told['precision'])} of what was labelled and fired is useful"
    yield f"{'recall':<21}{_percent(told['recall'])} of what is useful fired"


def _trend(told: Document) -> Iterator[str]:
    unit = "hour" if told["step_s"] < 86_400 else "day"  # noqa: PLR2004 - the seconds of a day
    together = -(-len(told["trend"]) // _WIDEST)
    yield ""
    yield f"each column {unit if together == 1 else f'{together} {unit}s'}"
    for name, words in _TREND.items():
        values = [each[name] for each in told["trend"]]
        yield f"{words:<21}|{bars(values)}| {sum(values)}"


def _part(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield title
    yield from (f"  {line}" for line in lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"  and {len(lines) - _MOST_LINES} more (--json has all)"


def _alert(one: Document) -> str:
    return (
        f"{one['alert']}: fired {_counted(one['fired'], 'time')} for {_span(one['firing_s'])}, "
        f"last {_day(one['last_fired_at'])}, acknowledged {one['acknowledged']}, noise "
        f"{_number(one['noise'])}"
    )


def _flapper(one: Document) -> str:
    what = f"{one['alert']} {one['instance']}".strip()
    incidents = _counted(one["incidents"], "incident")
    return f"{what}: {one['firings']} times in {incidents}"


def _channel(one: Document) -> str:
    told = f"{one['channel']}: {one['sent']} arrived, {one['dead']} given up"
    told += f", {one['superseded']} outdated" if one["superseded"] else ""
    return f"{told}, {one['waiting']} waiting, {_times(one['latency'])}"


def _night(one: Document) -> str:
    who = one["person"] or "given to nobody"
    return (
        f"{who}: {one['pages']}, {one['per_night']:.2f} a night, at most {one['worst']} "
        f"in that of {one['worst_night']}"
    )


def _times(told: Document) -> str:
    if not told["count"]:
        return "-"
    parts = (f"{name} {_span(told[f'{name}_s'])}" for name in ("mean", "p50", "p99"))
    return f"{', '.join(parts)} ({told['count']})"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{1_000 * seconds:.0f} ms"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // NS).astimezone().strftime("%Y-%m-%d %H:%M")
