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
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import (
    absence,
    agent,
    chain,
    daemons,
    figures,
    guest,
    host,
    living,
    processors,
    rules,
    sdk,
    series,
    store_flow,
    store_questions,
    store_state,
    store_telemetry,
    storm,
    telling,
    ways,
)

RESULTS = Path(__file__).parent.parent / "docs" / "benchmarks.results.md"
GROUPS = {
    "sdk": [sdk],
    "guests": [guest],
    "agent": [agent, ways, processors, chain, living, series, absence, host],
    "hosts": [host],
    "alerts": [telling, storm, rules],
    "store": [store_telemetry, store_questions, store_flow, store_state],
}
TITLES = {
    guest: "A program that uses nothing of it",
    agent: "The agent",
    living: "The agent at rest, and how soon it tells",
    ways: "What the agent takes in",
    processors: "Through the processors",
    chain: "Through a chain of processors",
    series: "Many series",
    absence: "After a long absence",
    host: "Watching the host",
    telling: "Telling",
    storm: "Ten thousand incidents at once",
    rules: "Judging",
    store_telemetry: "The telemetry store",
    store_questions: "Questions, and readers beside the writing",
    store_flow: "The telemetry store of a running agent",
    store_state: "The state store",
}
SDK_TITLE = "The SDK beside its peers"
PEERS = ("opentelemetry-sdk", "sentry-sdk", "ddtrace", "elastic-apm", "posthog")


def main(arguments):
    """Run the cases asked for; 1 if one of them could not be measured."""
    wanted = [word for word in arguments if not word.startswith("--")]
    cases = [case for word in wanted or [*GROUPS] for case in _cases(word)]
    begun, quick = datetime.now(UTC), "--quick" in arguments
    tables, documents, failed = {}, {}, {}
    if any(case in sdk.CASES for case in cases):
        rows = sdk.run(cases)
        tables[SDK_TITLE] = sdk.table(rows)
        documents[SDK_TITLE] = [{"case": case, "values": values} for case, values in rows]
    for kind, title in TITLES.items():
        asked = {case: measure for case, measure in kind.CASES.items() if case in cases}
        if found := [*_measured(asked, failed, quick=quick)]:
            tables[title] = figures.table(found)
            documents[title] = [one.document() for one in found]
    told = {title: f"{_heading(begun, quick)}\n\n{text}" for title, text in tables.items()}
    if "--json" in arguments:
        document = _document(begun, documents)
        print(json.dumps({**document, "quick": quick, "failed": failed}, indent=1))
    else:
        print(_joined(told))
    if "--write" in arguments:
        RESULTS.write_text(_joined({**_kept(), **told}), encoding="utf-8")
    return int(bool(failed))


def _measured(asked, failed, *, quick):
    """Measure one after the other; what fails is told, and is no reason to lose the others."""
    for case, measure in asked.items():
        begun = time.monotonic()
        try:
            yield from measure(quick=quick)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the others go on
            failed[case] = f"{type(problem).__name__}: {problem}"
            figures.progress(f"{case} could not be measured: {failed[case]}")
        figures.progress(f"{case} took {time.monotonic() - begun:.0f} s")


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


def _heading(begun, quick):
    return (
        f"Measured {begun:%Y-%m-%d} by `nox -s bench` {'with `--quick` ' * quick}on CPython "
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
    sys.exit(main(sys.argv[1:]))
