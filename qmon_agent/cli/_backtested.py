"""What alerts would have done, in words and small charts for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from qmon_agent.cli._shown import printable
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import print_duration
from qmon_agent.domain.sparklines import sparkline

if TYPE_CHECKING:
    from qmon_agent.app.backtesting import Backtest, Backtested, Compared, Spell, Trace

_MOST_INSTANCES = 10
_MOST_SPELLS = 20


def backtested_lines(done: Backtest) -> Iterator[str]:
    """First the sum of it, then each alert, its instances, and each time it would have fired."""
    yield f"{_moment(done.since)} to {_moment(done.until)}, {done.rows} rows"
    for told in done.alerts:
        yield ""
        yield _summary(told)
        if told.failures:
            yield f"  it could not be worked out {told.failures} times"
        fired = sorted(told.instances, key=lambda trace: -len(trace.spells))
        for trace in fired[:_MOST_INSTANCES]:
            yield from _trace(trace, done)
        if len(fired) > _MOST_INSTANCES:
            yield f"  and {len(fired) - _MOST_INSTANCES} more instances; --json has them"
        if told.left_out:
            yield "  there is more of it than is kept"
        if told.compared is not None:
            yield from _compared(told.compared)


def _summary(told: Backtested) -> str:
    times = "once" if told.fired == 1 else f"{told.fired} times"
    whole = f", {_duration(told.firing_ns)} in all" if told.fired else ""
    among = f", {len(told.instances)} instances" if told.instances else ", nothing to judge"
    return printable(f"{told.alert} ({told.rule}): would have fired {times}{whole}{among}")


def _trace(trace: Trace, done: Backtest) -> Iterator[str]:
    labels = ", ".join(f'{name}="{text}"' for name, text in trace.labels.items())
    yield printable(f"  {{{labels}}}{_range(trace)}")
    yield f"    {sparkline(trace.values)}"
    if not trace.spells:
        return
    yield f"    {_marks(trace.spells, done, len(trace.values))}"
    for spell in trace.spells[:_MOST_SPELLS]:
        yield f"    {_spell(spell)}"
    if len(trace.spells) > _MOST_SPELLS:
        yield f"    and {len(trace.spells) - _MOST_SPELLS} times more; --json has them"


def _range(trace: Trace) -> str:
    if trace.lowest is None or trace.highest is None:
        return ""
    return f" from {trace.lowest:.6g} to {trace.highest:.6g}"


def _marks(spells: Sequence[Spell], done: Backtest, width: int) -> str:
    marks = [" "] * width
    span = done.until - done.since
    for spell in spells:
        first = max(spell.fired_at - done.since, 0) * width // span
        last = ((spell.resolved_at or done.until) - done.since) * width // span
        for place in range(first, min(last, width - 1) + 1):
            marks[place] = "^"
    return "".join(marks).rstrip()


def _spell(spell: Spell) -> str:
    lasted = "still at the end"
    if spell.resolved_at:
        lasted = f"for {_duration(spell.resolved_at - spell.fired_at)}"
    peak = f", peak {spell.peak:.6g}" if spell.peak is not None else ""
    severity = f", {spell.severity}" if spell.severity else ""
    text = f": {spell.text}" if spell.text else ""
    return printable(f"{_moment(spell.fired_at)}  {lasted}{peak}{severity}{text}")


def _compared(told: Compared) -> Iterator[str]:
    yield (
        f"  really fired {told.fired} times: {told.both} as it would now, "
        f"{len(told.only_now)} only now, {len(told.only_then)} only then"
    )
    for sign, spells in (("+", told.only_now), ("-", told.only_then)):
        for spell in spells[:_MOST_SPELLS]:
            yield printable(f"    {sign} {_spell(spell)}  {spell.instance}")


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND).astimezone().isoformat(sep=" ")


def _duration(nanos: int) -> str:
    return print_duration(nanos // SECOND * SECOND)
