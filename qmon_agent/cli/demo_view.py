"""The demo on a terminal: a live board for people, plain lines for everybody else."""

from __future__ import annotations

import sys
from statistics import median
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from qmon_agent.cli.demo_facts import Facts, Issue
from qmon_agent.cli.demo_play import Moment, Outcome
from qmon_agent.cli.demo_receiver import Arrival

_STARTING = "starting an agent, a shop, a webhook receiver and a crowd ..."
_EVERY_S = 3.0
_BAR = 30
_MOST_ALERTS = 5
_GIB = 1 << 30
GO_ON = """\
Watch your own application:

    import qmon_sdk as qmon
    qmon.init(service="my-app")    # Flask, FastAPI, Starlette and Django are watched from here on

    qmon-agent run                 # in another terminal; then, whenever you like:
    qmon-agent status
    qmon-agent query "SELECT name, count(*), max(duration_ns) / 1e6 AS ms FROM spans GROUP BY name"
"""


class View(Protocol):
    """Who looks on, from the start to the summary."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def look(self, moment: Moment) -> None:
        """Take a look at how it stands, about once a second."""
        ...


class Lines:
    """A line on standard error every few seconds; standard output is the summary's."""

    def __enter__(self) -> Self:
        _say(_STARTING)
        self._arrived = 0
        self._due_s = _EVERY_S
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open."""

    def look(self, moment: Moment) -> None:
        for arrival in moment.arrivals[self._arrived :]:
            _say(f"       {_alert(arrival)}")
        self._arrived = len(moment.arrivals)
        if moment.elapsed_s >= self._due_s:
            _say(_line(moment))
            self._due_s = moment.elapsed_s + _EVERY_S


class Board:
    """A live board, for people."""

    def __init__(self) -> None:
        self._live = Live(_STARTING)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update("")  # the summary follows, and says it all
        self._live.stop()

    def look(self, moment: Moment) -> None:
        head = Text(f"qmon demo, {moment.elapsed_s:.0f} of {moment.seconds} s", style="bold")
        self._live.update(Group(head, board(moment.facts, moment.arrivals)))


def view_for(*, json: bool) -> View:
    """Choose by who is reading."""
    return Board() if sys.stdout.isatty() and not json else Lines()


def show_outcome(outcome: Outcome) -> None:
    """Print the summary, and how to go on."""
    person = sys.stdout.isatty()
    console = Console(markup=False, highlight=False, width=None if person else 110)
    console.print(board(outcome.facts, outcome.arrivals), soft_wrap=not person)
    console.print(Text(_books(outcome)))
    if outcome.state:
        console.print(Text(f"Kept: qmon-agent --state {outcome.state} query ...\n"), soft_wrap=True)
    console.print(Text(GO_ON), soft_wrap=True)


def board(facts: Facts, arrivals: list[Arrival]) -> RenderableType:
    """All there is to see, top down."""
    host = f"\nHost: {_host(facts)}; {many(facts.host.points, 'point')} of its own, not the shop's"
    lines = [Text(host), *map(_issue, facts.issues)]
    alerts = [Text(_alert(arrival)) for arrival in arrivals[-_MOST_ALERTS:]]
    return Group(_routes(facts), *lines, _funnel(facts), *alerts, Text(""))


def _routes(facts: Facts) -> Table:
    table = Table("route", box=None, header_style="bold", pad_edge=False, title_justify="left")
    for name in ("requests/s", "now", "p95 ms", "requests", "errors"):
        table.add_column(name, justify="right")
    for route in facts.routes:
        rates = (f"{route.per_second:.1f}", f"{route.per_second_now:.1f}", f"{route.p95_ms:.1f}")
        style = "red" if route.errors else ""
        table.add_row(Text(route.name), *rates, str(route.requests), str(route.errors), style=style)
    return table


def _issue(issue: Issue) -> Text:
    how = "handled" if issue.handled else "unhandled"
    met = f"{many(issue.times, 'time')}, {many(issue.users, 'user')}"
    head = f"\n{issue.type}: {issue.message}  {met}, {how}\n"
    return Text(head + "\n".join(f"    {frame}" for frame in issue.stack))


def _funnel(facts: Facts) -> Text:
    most = max(facts.funnel.values(), default=0) or 1
    rows = (
        f"{step:<14}{'█' * (users * _BAR // most):<{_BAR}} {users:>6}  {users / most:>4.0%}"
        for step, users in facts.funnel.items()
    )
    return Text("\nFunnel, in users\n" + "\n".join(rows) + "\n")


def _alert(arrival: Arrival) -> str:
    return f"ALERT {arrival.title}  (arrived after {arrival.delay_ms:.0f} ms)"


def _host(facts: Facts) -> str:
    host = facts.host
    if host.cpu is None or host.memory is None:
        return "CPU and memory in a moment"
    size = f" of {host.memory_bytes / _GIB:.1f} GiB" if host.memory_bytes else ""
    return f"CPU {host.cpu:.0%}, memory {host.memory:.0%}{size}"


def _line(moment: Moment) -> str:
    facts = moment.facts
    pace = sum(route.per_second_now for route in facts.routes)
    seen = (many(facts.counts[f"{what}s"], what) for what in ("span", "error", "event"))
    return f"{moment.elapsed_s:3.0f} s  {pace:5.1f} requests/s  {'  '.join(seen)}  {_host(facts)}"


def many(number: int, what: str) -> str:
    """The number and the word for it."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _books(outcome: Outcome) -> str:
    sign = "=" if outcome.adds_up else "≠"
    dropped = sum(outcome.dropped.values())
    delays = outcome.delays_ms
    told = f"Alerts delivered: {len(delays)}"
    if delays:
        p50, most = median(delays), delays[-1]
        told += f", {p50:.0f} ms from event to receiver (p50), {most:.0f} ms at most"
    ended = f"Ended by hand after {outcome.elapsed_s:.0f} s\n" if outcome.interrupted else ""
    sums = f"Captured by the shop: {outcome.captured} {sign} stored {outcome.stored}"
    return f"{ended}{sums} + dropped {dropped}\n{told}\n"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
