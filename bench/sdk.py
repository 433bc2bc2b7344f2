"""The SDK beside its peers: each measurement in a fresh process, peers taking turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from .places import Agent, place, sink

ROUNDS = 7
OTEL = ("otel-api span", "otel-api span, 3 attributes")
BURSTS = {"call": 4, **dict.fromkeys(OTEL, 4), "exception": 2, "asgi": 2, "start": 0, "memory": 0}
PEERS = {
    "call": ("opentelemetry", "sentry", "ddtrace"),
    OTEL[0]: ("opentelemetry",),
    OTEL[1]: ("opentelemetry",),
    "exception": ("sentry", "elastic", "posthog"),
    "asgi": ("opentelemetry", "sentry", "ddtrace"),
    "start": ("opentelemetry", "sentry", "ddtrace"),
    "memory": ("opentelemetry", "sentry", "ddtrace"),
}
QUICK = 10  # times as many for those that take a microsecond, for a steadier figure
TITLES = {
    "call": ("one instrumented call, all CPU", 1e-3, "µs", 15),
    OTEL[0]: ("one span through OpenTelemetry's API, all CPU", 1e-3, "µs", 6),
    OTEL[1]: ("the same with three attributes, all CPU", 1e-3, "µs", 6),
    "exception": ("one exception seen before, ten frames, all CPU", 1e-3, "µs", 50),
    "asgi": ("one ASGI request, all CPU added", 1e-3, "µs", 20),
    "start": ("import and init, wall clock over bare Python", 1e-6, "ms", 5),
    "memory": ("import and init, resident memory added", 1e-6, "MB", None),
}


def run(cases=tuple(PEERS)):
    """Measure; gives the table's rows and whether the books were even in every run."""
    with place() as state, sink() as port:
        agent = Agent(state)
        try:
            return [_case(case, port, agent) for case in cases if case in PEERS]
        finally:
            agent.stop()


def _case(case, port, agent):
    taken = {name: [] for name in ("bare", "qmon", *PEERS[case])}
    for name in taken:
        _one(case, name, port=port, agent=agent)  # warm: bytecode written, files in memory
    for _ in range(ROUNDS):
        for name, values in taken.items():
            values.append(_one(case, name, port=port, agent=agent))
        print(f"{case}: " + "  ".join(f"{n} {v[-1]:,.0f}" for n, v in taken.items()), flush=True)
    bare = statistics.median(taken.pop("bare")) if case != "start" else 0.0
    return case, {name: statistics.median(values) - bare for name, values in taken.items()}


def _one(case, name, *, port, agent):
    bursts = BURSTS[case] * (QUICK if name in ("bare", "qmon") else 1)
    told = {**os.environ, **agent.environment}
    told.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # everybody's modules are compiled once, not every time
    out = subprocess.run(
        [sys.executable, "-m", "bench.one", case, name, str(port), str(bursts)],
        env=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if out.returncode:
        raise RuntimeError(f"{name} could not be measured in {case}:\n{out.stderr}")
    measured = json.loads(out.stdout.splitlines()[-1])
    _check_books(measured["books"])
    return measured["value"]


def _check_books(books):
    """A figure counts only if everything it recorded arrived or is accounted for."""
    for kind, captured in books.get("captured", {}).items():
        dropped = sum(n for name, n in books["dropped"].items() if name.startswith(f"{kind}/"))
        arrived = books["acknowledged"].get(kind, 0) + books["spooled"].get(kind, 0)
        if captured != arrived + dropped:
            raise AssertionError(
                f"{kind}: captured {captured}, arrived {arrived}, dropped {dropped}"
            )


def table(results):
    """Write the rows as Markdown: ours, theirs, and the ratio to the lightest of them."""
    lines = ["| | qmon | peers | ratio to the lightest | wanted |", "|---|---|---|---|---|"]
    for case, values in results:
        title, scale, unit, wanted = TITLES[case]
        ours = values["qmon"]
        theirs = {name: values[name] for name in PEERS[case]}
        text = " · ".join(f"{name} {value * scale:,.1f}" for name, value in theirs.items())
        ratio = f"1/{min(theirs.values()) / ours:,.1f}" if ours > 0 else "–"
        goal = f"≤ 1/{wanted}" if wanted else "≤ 8 MB"
        lines.append(f"| {title} | {ours * scale:,.2f} {unit} | {text} {unit} | {ratio} | {goal} |")
    return "\n".join(lines)
