"""Run other people's test-suites as they are, with `qmon-run` and without, and compare.

Run by `nox -s transparency`, in an environment that holds the pinned projects and what their tests
need. The suites come with the sdists, which are fetched for the run and kept nowhere. A test whose
outcome differs is run again, alone, both ways: what differs twice is a difference, and one is
enough for exit code 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

PLUGINS = {
    "flask": (),
    "starlette": ("anyio.pytest_plugin",),
    "httpx": ("anyio.pytest_plugin",),
    "requests": ("pytest_httpbin.plugin", "pytest_mock"),
}
"""Project → the plug-ins its tests are written for; no other one is loaded."""

LEFT_OUT = {
    "requests": (
        # They wait for an address at which nobody answers, and need a network that leads there.
        "test_connect_timeout",
        "test_total_timeout_connect",
        # Expected to fail, which it does if an answer of four lines, each with all headers of the
        # request in it, is short: one header more, such as `traceparent`, and it does not.
        "test_response_iter_lines_reentrant",
    ),
}
"""Project → what is left out of both runs."""

OUTCOMES = ("passed", "failed", "skipped")
PLAIN = ("-p", "no:cacheprovider", "-q")
PATIENCE_S = 900
RECORDED = "recorded.txt"
RAN = (0, 1)  # all passed, some failed; anything else is a suite that was not collected


def main(names):
    """Compare all projects, or those that are named; 1 if anything differs."""
    differing = []
    with tempfile.TemporaryDirectory(prefix="qmon-transparency-") as room:
        print(f"{'project':20}{'':10}{'passed':>8}{'failed':>8}{'skipped':>8}")
        for project in names or PLUGINS:
            place = fetched(project, Path(room))
            without, watched = (outcomes(project, place, watched=how) for how in (False, True))
            say(f"{project} {version(project)}", "without", without)
            say("", "qmon-run", watched)
            recorded = int((place / RECORDED).read_text())
            if not recorded:
                sys.exit(f"{project}: qmon-run recorded nothing, so this compares nothing")
            print(f"{'':20}spans, errors and the like that were recorded: {recorded}")
            for test in sorted(test for test, outcome in without.items() if outcome == "failed"):
                print(f"{'':20}fails by itself: {test}")
            for part in LEFT_OUT.get(project, ()):
                print(f"{'':20}left out: {part}")
            differing += differences(project, place, (without, watched))
    for line in differing:
        print(line)
    print("no difference" if not differing else f"{len(differing)} differences")
    return 1 if differing else 0


def fetched(project, room):
    """Fetch and unpack the sdist of the installed version."""
    named = f"{project}=={version(project)}"
    options = ["--quiet", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    where = room / project
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", where, named]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    (archive,) = where.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(where, filter="data")
    (place,) = (path for path in where.iterdir() if path.is_dir())
    return place


def outcomes(project, place, *, watched, only=()):
    """Run the suite, or only some tests of it; returns outcome by test."""
    report = place / "report.xml"
    report.unlink(missing_ok=True)
    loaded = (*PLUGINS[project], *(("telling",) if watched else ()))
    plugins = [word for plugin in loaded for word in ("-p", plugin)]
    left_out = " and ".join(f"not {part}" for part in LEFT_OUT.get(project, ()))
    chosen = [*(["-k", left_out] if left_out and not only else []), *(only or ["tests"])]
    run = subprocess.run(
        [*(qmon_run() if watched else ()), sys.executable, "-m", "pytest", *PLAIN, *plugins,
         f"--junitxml={report}", *chosen],
        cwd=place, env=environment(), capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    if run.returncode not in RAN or not report.exists():
        sys.exit(f"{project}: did not run\n{run.stdout[-4000:]}\n{run.stderr[-4000:]}")
    return {
        f"{case.get('classname')}::{case.get('name')}": outcome_of(case)
        for case in ET.parse(report).iter("testcase")
    }


def qmon_run():
    return [sys.executable, "-m", "qmon_sdk.run", "--service=transparency", "--dsn=memory:", "--"]


def environment():
    """This one, less what would turn either run into something else."""
    foreign = ("QMON_", "OTEL_", "PYTEST_", "COVERAGE_")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    here = str(Path(__file__).parent)  # where `telling`, the plug-in of watched runs, is found
    return {**ours, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": here}


def outcome_of(case):
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in kinds else "passed"


def say(project, how, found):
    counts = Counter(found.values())
    print(f"{project:20}{how:10}" + "".join(f"{counts[outcome]:8}" for outcome in OUTCOMES))
    sys.stdout.flush()


def differences(project, place, runs):
    """Tests that end otherwise under `qmon-run`, and do so again when they are run alone."""
    without, watched = runs
    other = sorted(test for test in {*without, *watched} if without.get(test) != watched.get(test))
    lines = []
    for test in other:
        name = test.rpartition("::")[2].partition("[")[0]
        again = [
            outcomes(project, place, watched=how, only=("tests", "-k", name)).get(test)
            for how in (False, True)
        ]
        verdict = "differs" if again[0] != again[1] else "unsteady"
        line = f"{verdict}: {project} {test}: {without.get(test)}, {watched.get(test)} watched"
        if verdict == "differs":
            lines.append(line)
        else:
            print(line)
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
