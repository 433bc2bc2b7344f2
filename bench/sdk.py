"""The SDK beside its peers: each measurement in a fresh process, peers taking turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass

from .places import Agent, place, sink

ROUNDS = 7
TRACERS = ("opentelemetry", "sentry", "ddtrace")
OURS = ("qmon", "pure")  # with the accelerator, where it was built, and without it
MICRO, MILLI, MEGA = (1e-3, "µs"), (1e-6, "ms"), (1e-6, "MB")


@dataclass(frozen=True)
class Case:
    """What is measured, beside whom, and what was wanted of each of ours."""

    title: str
    peers: tuple[str, ...]
    wanted: str
    bursts: int = 4
    unit: tuple[float, str] = MICRO
    quick: int = 10  # times as many for those that take a microsecond, for a steadier figure


CASES = {
    "call": Case("an instrumented call", TRACERS, "1/60 · 1/15"),
    "attributes": Case("the same with 3 attributes", TRACERS, "twice the row above"),
    "coroutine": Case("an instrumented coroutine", TRACERS, "1/30 · 1/12"),
    "otel_span": Case("a span by OpenTelemetry's API", ("opentelemetry",), "1/6"),
    "otel_attributes": Case("the same with 3 attributes", ("opentelemetry",), "1/6"),
    "counter": Case("a counter, labels named", ("prometheus",), "1/6", quick=2),
    "bound": Case("a counter, labels bound", ("prometheus",), "1/6", quick=2),
    "full": Case("an exception of ten frames, in full", ("sentry",), "1/20", bursts=3, quick=1),
    "seen": Case("the same, seen before", ("sentry", "elastic", "posthog"), "1/200", bursts=2),
    "event": Case("a product event, 5 properties", ("posthog",), "1/50"),
    "asgi": Case("an ASGI request", TRACERS, "1/20", bursts=2),
    "wsgi": Case("a WSGI request", TRACERS, "1/20", bursts=2),
    "client": Case("a request by requests", TRACERS, "the least", bursts=2, quick=2),
    "start": Case("import and init, wall clock", TRACERS, "25 ms", bursts=0, unit=MILLI),
    "memory": Case("import and init, resident", TRACERS, "8 MB", bursts=0, unit=MEGA),
    "working": Case("resident, at work", TRACERS, "8 MB", bursts=0, unit=MEGA),
}


def run(cases=tuple(CASES)):
    """Measure; gives the table's rows. A run whose books are not even fails."""
    with place() as state, sink() as port:
        agent = Agent(state)
        try:
            return [_case(case, port, agent) for case in cases if case in CASES]
        finally:
            agent.stop()


def _case(case, port, agent):
    taken = {name: [] for name in ("bare", *OURS, *CASES[case].peers)}
    for name in taken:
        _one(case, name, port=port, agent=agent)  # warm: bytecode written, files in memory
    for _ in range(ROUNDS):
        for name, values in taken.items():
            values.append(_one(case, name, port=port, agent=agent))
        print(f"{case}: " + "  ".join(f"{n} {v[-1]:,.0f}" for n, v in taken.items()), flush=True)
    bare = statistics.median(taken.pop("bare")) if case != "start" else 0.0
    return case, {name: statistics.median(values) - bare for name, values in taken.items()}


def _one(case, name, *, port, agent):
    bursts = CASES[case].bursts * (CASES[case].quick if name in ("bare", *OURS) else 1)
    told = {**os.environ, **agent.environment, "QMON_PURE_PYTHON": str(int(name == "pure"))}
    # Everybody's modules are compiled once, not every time.
    told.pop("PYTHONDONTWRITEBYTECODE", None)
    peer = "qmon" if name == "pure" else name
    out = subprocess.run(
        [sys.executable, "-m", "bench.one", case, peer, str(port), str(bursts)],
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
    """Write the rows as Markdown: ours on both paths, theirs, and ratios to the lightest."""
    lines = [
        "| all CPU, or as it says | accelerated · pure | peers | to the lightest | wanted |",
        "|---|---|---|---|---|",
    ]
    for name, values in results:
        case = CASES[name]
        scale, unit = case.unit
        ours = " · ".join(f"{values[one] * scale:,.2f}" for one in OURS)
        theirs = " · ".join(f"{one} {values[one] * scale:,.1f}" for one in case.peers)
        lightest = min(values[one] for one in case.peers)
        ratios = " · ".join(f"1/{lightest / max(values[one], 1e-9):,.1f}" for one in OURS)
        lines.append(
            f"| {case.title} | {ours} {unit} | {theirs} {unit} | {ratios} | {case.wanted} |"
        )
    return "\n".join(lines)
