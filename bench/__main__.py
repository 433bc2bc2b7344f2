"""`python -m bench [CASE...] [--write]`: measure, print, and keep in docs/benchmarks.results.md.

Cases: call, "otel-api span", "otel-api span, 3 attributes", exception, asgi, start, memory, agent,
backlog; without any, all of them.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from . import agent, sdk

RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks.results.md"
PEERS = ("opentelemetry-sdk", "sentry-sdk", "ddtrace", "elastic-apm", "posthog")


def main(arguments):
    """Run the cases asked for."""
    wanted = [word for word in arguments if not word.startswith("--")]
    cases = wanted or [*sdk.PEERS, *agent.CASES]
    parts = [_heading()]
    results = sdk.run(cases) if any(case in sdk.PEERS for case in cases) else []
    if results:
        parts += ["## The SDK beside its peers", sdk.table(results)]
    rows = [row for case, measure in agent.CASES.items() if case in cases for row in measure()]
    if rows:
        parts += ["## The agent", agent.table(rows)]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if "--write" in arguments:
        RESULTS.write_text(text, encoding="utf-8")


def _heading():
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `nox -s bench -- --write` on CPython "
        f"{platform.python_version()}, 2 shared cores, median of {sdk.ROUNDS} runs. Peers: {peers}."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
