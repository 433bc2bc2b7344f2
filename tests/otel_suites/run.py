"""Run test-suites of OpenTelemetry's instrumentations, unmodified, with its SDK and with qmon.

`python tests/otel_suites/run.py FOLDER [SUITE ...]`, as `nox -s otel` does: source distributions
are fetched into the folder, and every test runs twice. What passes with the tracer provider of the
SDK has to pass with qmon's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).parent
RELEASE = "0.66b1"
USUAL = ("flask", "wsgi", "asgi", "threading", "logging", "sqlite3", "requests", "urllib3")
# These ask for the very class of the SDK's spans.
ASK_FOR_THE_SDK = {
    "django": {
        "tests.test_middleware.TestMiddleware.test_hooks",
        "tests.test_middleware_asgi.TestMiddlewareAsgi.test_hooks",
    }
}


def main(folder, *names):
    """Answer with how many suites did worse with qmon."""
    results = {name: compared(Path(folder).resolve(), name) for name in names or USUAL}
    print(f"\n{'suite':<12}{'SDK':>26}{'qmon':>26}")
    for name, (with_sdk, with_qmon, _) in results.items():
        print(f"{name:<12}{counts(with_sdk):>26}{counts(with_qmon):>26}")
    worse = {name: lost for name, (_, _, lost) in results.items() if lost}
    for name, lost in worse.items():
        print(f"{name}: passed with the SDK only: {sorted(lost)}")
    return len(worse)


def compared(folder, name):
    suite = fetched(folder, name)
    with_sdk = outcomes(suite)
    with_qmon = outcomes(suite, "-p", "with_qmon")
    lost = passed(with_sdk) - passed(with_qmon) - ASK_FOR_THE_SDK.get(name, set())
    if lost:  # some of them measure time, which a busy machine has its own view of
        lost -= passed(outcomes(suite, "-p", "with_qmon"))
    return with_sdk, with_qmon, lost


def passed(results):
    return {test for test, result in results.items() if result == "passed"}


def fetched(folder, name):
    """Fetch a suite, and unpack it."""
    package = f"opentelemetry-instrumentation-{name}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "--no-binary", package, f"{package}=={RELEASE}"], check=True)
    (archive,) = folder.glob(f"{package.replace('-', '_')}-{RELEASE}.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def outcomes(suite, *options):
    """Run a suite; test → passed, failed, skipped."""
    report = suite / "report.xml"
    told = ["--quiet", f"--junitxml={report}", "-c", os.devnull, "--rootdir", str(suite)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "tests",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            *told,
            *options,
        ],
        cwd=suite,
        env={**kept, "PYTHONPATH": str(HERE)},
        check=False,
    )
    cases = ET.parse(report).iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}": outcome(case) for case in cases}


def outcome(case):
    kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
    return "failed" if kinds - {"skipped"} else "skipped" if kinds else "passed"


def counts(results):
    kinds = [*results.values()]
    told = {kind: kinds.count(kind) for kind in ("passed", "failed", "skipped")}
    return " ".join(f"{n} {kind[:4]}" for kind, n in told.items() if n or kind == "passed")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
