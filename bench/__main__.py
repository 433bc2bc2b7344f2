"""`python -m bench [CASE...] [--write]`: measure, print, and keep in docs/benchmarks.results.md.

Cases are the names in the `CASES` of `bench.sdk`, `bench.guest`, `bench.agent` and `bench.host`;
`sdk`, `guests`, `agents` and `hosts` are all of one kind; without any name everything is measured.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import agent, guest, host, sdk

RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks.results.md"
PEERS = ("opentelemetry-sdk", "sentry-sdk", "ddtrace", "elastic-apm", "posthog")


def main(arguments):
    """Run the cases asked for."""
    wanted = [word for word in arguments if not word.startswith("--")]
    groups = {
        "sdk": [*sdk.CASES],
        "guests": [*guest.CASES],
        "agents": [*agent.CASES],
        "hosts": [*host.CASES],
    }
    asked = wanted or [*groups]
    cases = [case for word in asked for case in groups.get(word, [word])]
    parts = [_heading()]
    results = sdk.run(cases) if any(case in sdk.CASES for case in cases) else []
    if results:
        parts += ["## The SDK beside its peers", sdk.table(results)]
    rows = [row for case, measure in guest.CASES.items() if case in cases for row in measure()]
    if rows:
        parts += ["## A program that uses nothing of it", agent.table(rows)]
    rows = [row for case, measure in agent.CASES.items() if case in cases for row in measure()]
    if rows:
        parts += ["## The agent", agent.table(rows)]
    rows = [row for case, measure in host.CASES.items() if case in cases for row in measure()]
    if rows:
        parts += ["## Watching the host", agent.table(rows)]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if "--write" in arguments:
        RESULTS.write_text(text, encoding="utf-8")


def _heading():
    peers = ", ".join(f"{name} {found}" for name in PEERS if (found := _version(name)))
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `nox -s bench -- --write` on CPython "
        f"{platform.python_version()}, 2 shared cores, median of {sdk.ROUNDS} runs. Peers: {peers}."
    )


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
