"""The demo on a terminal: a live board for people, plain lines for everybody else."""

from __future__ import annotations

import sys
from statistics import median
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from qmon_agent.cli.demo_facts import Facts, Issue
from qmon_agent.cli.demo_play import Moment, Outcome
from qmon_agent.cli.demo_receiver import Arrival

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


class Silence:
    """Shows nothing: for `--json`, which prints one document and nothing else."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def look(self, moment: Moment) -> None:
        """Take a look at how it stands, about once a second."""


class Lines(Silence):
    """One line for each look, for logs and pipes."""

    def __enter__(self) -> Self:
        _say("starting an agent, a shop, a webhook receiver and a crowd ...")
        self._arrived = 0
        return self

    def look(self, moment: Moment) -> None:
        facts = moment.facts
        _say(
            f"{moment.elapsed_s:3.0f} s  {_pace(facts):5.1f} requests/s"
            f"  {facts.counts['spans']} spans  {facts.counts['errors']} errors"
            f"  {facts.counts['events']} events  {_host(facts)}"
        )
        for arrival in moment.arrivals[self._arrived :]:
            _say(f"       {_alert(arrival)}")
        self._arrived = len(moment.arrivals)


class Board(Silence):
    """A live board, for people."""

    def __init__(self) -> None:
        self._live = Live("starting an agent, a shop, a webhook receiver and a crowd ...")

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update("")  # the summary follows, and says it all
        self._live.stop()

    def look(self, moment: Moment) -> None:
        head = Text(f"qmon demo, {moment.elapsed_s:.0f} of {moment.seconds} s", style="bold")
        self._live.update(Group(head, board(moment.facts, moment.arrivals)))


def view_for(*, json: bool) -> Silence:
    """Choose by who is reading."""
    if json:
        return Silence()
    return Board() if sys.stdout.isatty() else Lines()


def show_outcome(outcome: Outcome) -> None:
    """Print the summary, and how to go on."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 110)
    console.print(board(outcome.facts, outcome.arrivals))
    console.print(Text(_books(outcome)))
    if outcome.state:
        console.print(Text(f"Kept: qmon-agent --state {outcome.state} query ...\n"), soft_wrap=True)
    console.print(Text(GO_ON), soft_wrap=True)


def board(facts: Facts, arrivals: list[Arrival]) -> RenderableType:
    """All there is to see, top down."""
    lines = [Text(f"\nHost: {_host(facts)}"), *map(_issue, facts.issues)]
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
    head = f"\n{issue.type}: {issue.message}  {issue.times} times, {issue.users} users, {how}\n"
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


def _pace(facts: Facts) -> float:
    return sum(route.per_second_now for route in facts.routes)


def _books(outcome: Outcome) -> str:
    sign = "=" if outcome.adds_up else "≠"
    dropped = sum(outcome.dropped.values())
    delays = outcome.delays_ms
    told = f"Alerts delivered: {len(delays)}"
    if delays:
        p50, most = median(delays), delays[-1]
        told += f", {p50:.0f} ms from event to receiver (p50), {most:.0f} ms at most"
    return (
        f"Captured {outcome.captured} {sign} stored {outcome.stored} + dropped {dropped}\n{told}\n"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
