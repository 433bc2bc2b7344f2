"""`python -m bench [CASE...] [--quick] [--json] [--write]`: measure, print, and keep.

Cases are the names in the `CASES` of the modules in `GROUPS`; a group's name is all of its cases,
and without any name everything is measured. `--quick` is one small run of each case, to try
something out; `--json` prints one document; `--write` keeps the tables in
docs/benchmarks.results.md. How far it is, is said on standard error.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import absence, agent, daemons, figures, guest, host, living, sdk, series, ways

RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks.results.md"
GROUPS = {
    "sdk": [sdk],
    "guests": [guest],
    "agent": [agent, ways, living, series, absence, host],
    "hosts": [host],
}
TITLES = {
    guest: "A program that uses nothing of it",
    agent: "The agent",
    living: "The agent at rest, and how soon it tells",
    ways: "What the agent takes in",
    series: "Many series",
    absence: "After a long absence",
    host: "Watching the host",
}
SDK_TITLE = "The SDK beside its peers"
PEERS = ("opentelemetry-sdk", "sentry-sdk", "ddtrace", "elastic-apm", "posthog")


def main(arguments):
    """Run the cases asked for."""
    wanted = [word for word in arguments if not word.startswith("--")]
    cases = [case for word in wanted or [*GROUPS] for case in _cases(word)]
    quick = "--quick" in arguments
    begun, tables, documents = datetime.now(UTC), {}, {}
    if any(case in sdk.CASES for case in cases):
        rows = sdk.run(cases)
        tables[SDK_TITLE] = sdk.table(rows)
        documents[SDK_TITLE] = [{"case": case, "values": values} for case, values in rows]
    for kind, title in TITLES.items():
        found = [
            row for case in kind.CASES if case in cases for row in kind.CASES[case](quick=quick)
        ]
        if found:
            tables[title] = figures.table(found)
            documents[title] = [one.document() for one in found]
    if "--json" in arguments:
        print(json.dumps(_document(begun, documents), indent=1))
    else:
        print(_joined({title: f"{_heading(begun)}\n\n{text}" for title, text in tables.items()}))
    if "--write" in arguments:
        told = {title: f"{_heading(begun)}\n\n{text}" for title, text in tables.items()}
        RESULTS.write_text(_joined({**_kept(), **told}), encoding="utf-8")


def _cases(word):
    """Of a group, or the word itself; a word that is neither is refused."""
    if word in GROUPS:
        return [case for kind in GROUPS[word] for case in kind.CASES]
    known = [case for kinds in GROUPS.values() for kind in kinds for case in kind.CASES]
    if word not in known:
        raise SystemExit(f"{word!r} is none of {', '.join([*GROUPS, *dict.fromkeys(known)])}")
    return [word]


def _kept():
    """Read what was measured before, by title: a run of some cases leaves the others."""
    parts = RESULTS.read_text(encoding="utf-8").split("## ")[1:] if RESULTS.exists() else []
    return {title: text.strip() for title, _, text in (part.partition("\n") for part in parts)}


def _joined(found):
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in found.items()) + "\n"


def _heading(begun):
    return (
        f"Measured {begun:%Y-%m-%d} by `nox -s bench -- --write` on CPython "
        f"{platform.python_version()}, {os.cpu_count()} shared cores whose load was "
        f"{_load()} at the end, median of the runs. Peers: {', '.join(_peers())}."
    )


def _peers():
    return [*(f"{name} {found}" for name in PEERS if (found := _version(name))), *daemons.here()]


def _document(begun, documents):
    return {
        "version": 1,
        "measured": begun.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - begun).total_seconds()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": _load(),
        "peers": _peers(),
        "results": documents,
    }


def _load():
    return f"{os.getloadavg()[1]:.1f}"


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
