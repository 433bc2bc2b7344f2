"""`python -m bench [CASE...] [--write]`: measure, print, and keep in docs/benchmarks.results.md.

Cases are the names in the `CASES` of `bench.sdk`, `bench.guest`, `bench.agent` and `bench.host`;
`sdk`, `guests`, `agents` and `hosts` are all of one kind; without any name everything is measured.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import agent, guest, host, sdk

RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks.results.md"
KINDS = {
    "A program that uses nothing of it": guest,
    "The agent": agent,
    "Watching the host": host,
}
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
    found = {}
    if any(case in sdk.CASES for case in cases):
        found["The SDK beside its peers"] = sdk.table(sdk.run(cases))
    for title, kind in KINDS.items():
        rows = [row for case, measure in kind.CASES.items() if case in cases for row in measure()]
        if rows:
            found[title] = agent.table(rows)
    found = {title: f"{_heading()}\n\n{table}" for title, table in found.items()}
    print(_joined(found))
    if "--write" in arguments:
        RESULTS.write_text(_joined({**_kept(), **found}), encoding="utf-8")


def _kept():
    """Read what was measured before, by title: a run of some cases leaves the others."""
    parts = RESULTS.read_text(encoding="utf-8").split("## ")[1:] if RESULTS.exists() else []
    return {title: text.strip() for title, _, text in (part.partition("\n") for part in parts)}


def _joined(found):
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in found.items()) + "\n"


def _heading():
    peers = ", ".join(f"{name} {found}" for name in PEERS if (found := _version(name)))
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `nox -s bench -- --write` on CPython "
        f"{platform.python_version()}, {os.cpu_count()} shared cores, median of {sdk.ROUNDS} "
        f"runs. Peers: {peers}."
    )


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
