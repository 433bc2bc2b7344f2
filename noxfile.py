"""The menu of the house: `nox` runs what a change must pass, `nox -l` shows the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.sessions = ["lint", "types", "house", "tests", "otel", "transparency"]

SUPPORTED = ("3.11", "3.12", "3.13")
PROJECT = nox.project.load_toml("pyproject.toml")
SLOW = ("tests/clickhouse", "tests/clients", "tests/crash", "tests/journeys", "tests/servers")
# What behaves the same with and without the accelerator, and is tested both ways.
ACCELERATED = ("tests/sdk", "tests/properties", "tests/golden")
SEED = "20260214"
FEW = 10  # tests that may fail beside others on a busy machine, and are tried by themselves
# Peers that `bench` measures qmon against, in environments of their own making.
PEERS = (
    "chdb>=4.4",
    "ddtrace",
    "elastic-apm",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-instrumentation-asgi",
    "opentelemetry-instrumentation-requests",
    "opentelemetry-instrumentation-wsgi",
    "opentelemetry-sdk",
    "posthog",
    "prometheus-client",
    "sentry-sdk",
)

STATSD = "statsd@0.9.0"  # the daemon that the protocol is named after, on Node

# Suites of opentelemetry-instrumentation-*, and what they use without saying so.
OTEL_SUITES = ("flask", "wsgi", "asgi", "threading", "logging", "sqlite3", "requests", "urllib3")
OTEL_SUITES_NEED = ("httpretty", "mocket", "respx", "opentelemetry-instrumentation-wsgi==0.66b1")


def _installed() -> list[str]:
    """Name the CPythons among SUPPORTED that answer here, each one findable by its name."""
    found = [v for v in SUPPORTED if any(_answers(command, v) for command in _known(v))]
    return found or [f"{sys.version_info.major}.{sys.version_info.minor}"]


def _known(version: str) -> list[str]:
    """Where an interpreter may be: on PATH, and where pyenv keeps those its shims do not show."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    homes = sorted(pyenv.glob(f"{version}.*/bin"), reverse=True)
    return [f"python{version}", *(str(home / f"python{version}") for home in homes)]


def _answers(command: str, version: str) -> bool:
    asked = "import sys; print('%d.%d %s' % (*sys.version_info[:2], sys.implementation.name))"
    try:
        run = subprocess.run([command, "-c", asked], capture_output=True, text=True, check=False)
    except OSError:
        return False
    if run.stdout.split() != [version, "cpython"]:
        return False
    if os.sep in command:
        os.environ["PATH"] = os.pathsep.join([str(Path(command).parent), os.environ["PATH"]])
    return True


PYTHONS = _installed()
NEWEST = PYTHONS[-1]


def _install(session: nox.Session, *groups: str, extra: str = "all") -> None:
    session.install(f".[{extra}]" if extra else ".")
    for group in groups:
        session.install(*nox.project.dependency_groups(PROJECT, group))


@nox.session(python=NEWEST, tags=["quick"])
def lint(session: nox.Session) -> None:
    """Format, lint and spelling; `nox -s lint -- fix` mends what can be mended."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    fix = "fix" in session.posargs
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("codespell", "qmon_sdk", "qmon_agent", "docs", "README.md", "CONTRIBUTING.md")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session(python=NEWEST, tags=["quick"])
def types(session: nox.Session) -> None:
    """Mypy, strict, over both packages and the programs in tests/typing."""
    _install(session, "types")
    session.run("mypy", "--strict", "-p", "qmon_sdk", "-p", "qmon_agent")
    session.run("mypy", "--strict", "tests/typing")


@nox.session(python=NEWEST, tags=["quick"])
def house(session: nox.Session) -> None:
    """Walls, floors and shape: import contracts, public surface, sizes, and "is it documented"."""
    _install(session, "house")
    session.run("lint-imports", "--no-cache")
    session.run("pytest", "tests/house", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Pytest in random order on every Python; what is slow or the agent's not on each of them."""
    _install(session, "test")
    if session.python == NEWEST and not session.posargs:
        _install_for_node(session)
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    _pytest(session, *_selection(session))
    if session.python == NEWEST:
        session.log("once more without the accelerator, where it would have been used")
        session.env["QMON_PURE_PYTHON"] = "1"
        _pytest(session, *ACCELERATED, f"--randomly-seed={SEED}")


def _pytest(session: nox.Session, *arguments: str) -> None:
    """Run tests, and those few that failed a second time, by themselves: see CONTRIBUTING."""
    cache = Path(session.virtualenv.location).resolve() / "pytest"
    command = ("pytest", "-o", f"cache_dir={cache}")
    session.run(*command, "--cache-clear", *arguments, success_codes=[0, 1])
    record = cache / "v" / "cache" / "lastfailed"
    failed = json.loads(record.read_text()) if record.exists() else {}
    if len(failed) > FEW:
        session.error(f"{len(failed)} tests failed")
    if failed:
        session.run(*command, "--last-failed", *arguments)
        session.warn(f"passed only by themselves, and are to be mended: {', '.join(failed)}")


def _selection(session: nox.Session) -> list[str]:
    """All on the newest, what is fast on the oldest; between them what applications import."""
    seed = f"--randomly-seed={SEED}"
    if session.python == NEWEST:
        return [seed, "--ignore=tests/clickhouse"]
    if session.python != PYTHONS[0]:
        return [seed, *ACCELERATED]
    return [seed, *(f"--ignore={folder}" for folder in SLOW)]


@nox.session(python=NEWEST)
def servers(session: nox.Session) -> None:
    """Real servers and workers under `qmon-run`: every request, task and job counted once."""
    _install(session, "test")
    session.run("pytest", "-v", *(session.posargs or ["tests/servers"]))


@nox.session(python=NEWEST)
def clients(session: nox.Session) -> None:
    """Clients of other tools, unmodified, against a live agent; those on Node come by npm."""
    _install(session, "test")
    _install_for_node(session)
    session.run("pytest", "-v", *(session.posargs or ["tests/clients"]))


def _install_for_node(session: nox.Session) -> None:
    """What tests/clients runs on Node, where there is npm; without, those tests say so."""
    if shutil.which("npm"):
        command = ("npm", "ci", "--prefix", "tests/clients", "--no-audit", "--no-fund")
        session.run(*command, external=True)


@nox.session(python=NEWEST)
def transparency(session: nox.Session) -> None:
    """The own test-suites of Flask, Starlette, httpx and requests, under `qmon-run` and without."""
    _install(session, "transparency", extra="")
    session.run("python", "tests/transparency/compare.py", *session.posargs)


@nox.session(python=NEWEST)
def coverage(session: nox.Session) -> None:
    """Branch coverage of the fast tests, as a report to read."""
    _install(session, "test")
    left_out = [f"--ignore={folder}" for folder in SLOW]
    session.run("coverage", "run", "-m", "pytest", *left_out, *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session(python=PYTHONS[0], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """The fast tests with the oldest versions we claim to work with; needs uv."""
    session.install("--resolution=lowest-direct", ".[all]")
    session.install(*nox.project.dependency_groups(PROJECT, "test"))
    left_out = [f"--ignore={folder}" for folder in (*SLOW, "tests/house")]
    session.run("pytest", f"--randomly-seed={SEED}", *left_out, *session.posargs)


@nox.session(python=PYTHONS)
def alone(session: nox.Session) -> None:
    """The SDK with nothing but its own dependency: it works, and it starts fast."""
    _install(session, extra="")
    session.run("python", "tests/house/alone.py", *session.posargs)


@nox.session(python=NEWEST)
def otel(session: nox.Session) -> None:
    """OpenTelemetry's own suites with its SDK and with qmon; `-- flask httpx` chooses of them."""
    # The release that run.py fetches; names of extras are those of the suites.
    release, suites = "0.66b1", session.posargs or OTEL_SUITES
    session.install(".[otel]", "pytest", "pip")
    session.install(
        f"opentelemetry-test-utils=={release}",
        *(f"opentelemetry-instrumentation-{name}[instruments]=={release}" for name in suites),
        *OTEL_SUITES_NEED,
    )
    session.run("python", "tests/otel_suites/run.py", session.create_tmp(), *suites)


@nox.session(python=NEWEST)
def clickhouse(session: nox.Session) -> None:
    """ClickHouse as a store, and what is asked of it: in this process by chdb, 809 MB.

    Then once more by way of distributed tables. Real replicas want Debian's `clickhouse-server` and
    `zookeeper`, and are left out without. `-- tests/clickhouse/test_clickhouse_guard.py`.
    """
    _install(session, "clickhouse")
    # Each in a process of its own: the engine has one folder in each.
    for what in session.posargs or ("tests/clickhouse", "tests/agent/test_questions.py"):
        session.run("pytest", "-v", what)
    if not session.posargs and "QMON_TEST_CLICKHOUSE" not in os.environ:
        distributed = {"QMON_TEST_CLICKHOUSE_DISTRIBUTED": "1"}
        alike = "--ignore=tests/clickhouse/test_clickhouse_replicas.py"
        session.run("pytest", "-v", "tests/clickhouse", alike, env=distributed)


@nox.session(python=NEWEST)
def fuzz(session: nox.Session) -> None:
    """Coverage-guided fuzzing of every parser, and C beside Python; `-- -max_total_time=600`."""
    _install(session, extra="agent,store,alertmanager,promql,templates")
    session.install("atheris")
    corpora = Path(session.create_tmp()).resolve() / "corpora"  # kept, and grows from run to run
    session.run("python", "tests/fuzz/seeds.py", str(corpora))
    for target in sorted(Path("tests/fuzz").glob("fuzz_*.py")):
        corpus = corpora / target.stem
        corpus.mkdir(exist_ok=True)
        limits = session.posargs or ["-max_total_time=60"]
        session.run("python", str(target), *limits, f"-artifact_prefix={corpora}/", str(corpus))


@nox.session(python=NEWEST)
def faults(session: nox.Session) -> None:
    """Every source, every sink and the store's disk under every fault; ends with a table."""
    _install(session, "test")
    disks = (
        "tests/crash/test_store_failing_disk.py",
        "tests/crash/test_failing_disk.py",
        "tests/crash/test_agent_failing_disk.py",
    )
    what = session.posargs or ["tests/crash/faults", *disks]
    session.run("pytest", "-p", "no:randomly", *what, env={"QMON_FAULTS": "all"})


@nox.session(python=NEWEST)
def cluster(session: nox.Session) -> None:
    """Three servers of NATS, an edge and two gateways, each killed in turn; prints the counts."""
    _install(session, "test")
    what = session.posargs or ["tests/crash/test_cluster.py"]
    session.run("pytest", "-p", "no:randomly", *what, env={"QMON_CLUSTER": "all"})


@nox.session(name="alerts-differential", python=NEWEST)
def alerts_differential(session: nox.Session) -> None:
    """Alerting beside the real tools that it is to be equal to; `tests` has a quick part of it."""
    _install(session, "test")
    what = session.posargs or ["tests/differential"]
    session.run("pytest", "-p", "no:randomly", *what, env={"QMON_DIFFERENTIAL": "all"})


@nox.session(python=NEWEST)
def soak(session: nox.Session) -> None:
    """An agent under steady load for an hour, held to budgets; `-- --minutes 8`, `-- --json`."""
    _install(session, "test")
    session.run("python", "-m", "bench.soak", *session.posargs)


@nox.session(python=NEWEST)
def leaks(session: nox.Session) -> None:
    """Whether the accelerator gives back what it takes: by counting, and under valgrind."""
    session.env["QMON_REQUIRE_SPEEDUPS"] = "1"
    _install(session, extra="")
    session.run("python", "tests/leaks/leak_speedups.py")
    if not shutil.which("valgrind"):
        session.skip("valgrind is missing")
    session.run(
        "valgrind", "--quiet", "--error-exitcode=9",
        "python", "tests/leaks/leak_speedups.py", "short",
        env={"PYTHONMALLOC": "malloc"}, external=True,
    )  # fmt: skip


@nox.session(python=NEWEST)
def sanitized(session: nox.Session) -> None:
    """The accelerator's tests with gcc's address and undefined-behaviour sanitizers compiled in."""
    flags = "-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover"
    session.env.update(QMON_REQUIRE_SPEEDUPS="1", CC="gcc", CFLAGS=flags, LDFLAGS=flags)
    _install(session, "test", extra="")
    libraries = [
        session.run("gcc", f"-print-file-name={name}", external=True, silent=True).strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    # CPython itself leaves memory behind at exit: leaks are the business of the session above.
    session.run(
        "pytest", *sorted(map(str, Path("tests").rglob("test_speedups_*.py"))), *session.posargs,
        env={
            "LD_PRELOAD": ":".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
        },
    )  # fmt: skip


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure against named peers in the same conditions, as `-- agent`; see docs/benchmarks.md."""
    _install(session, "test")
    session.install("-e", ".")  # what is measured runs in this folder: with the accelerator
    session.install(*PEERS)
    modules = Path(session.create_tmp()) / "node_modules"
    if shutil.which("npm"):  # daemons come by apt-get, but for this one: `bench` names the missing
        where = ("--prefix", str(modules.parent), "--no-audit", "--no-fund", "--ignore-scripts")
        session.run("npm", "install", *where, STATSD, external=True, silent=True)
    told = {"QMON_BENCH_NODE_MODULES": str(modules)}
    session.run("python", "-m", "bench", *session.posargs, env=told)


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Build the documentation, warnings being errors; `-- live` rebuilds on save."""
    _install(session, "docs")
    live = "live" in session.posargs
    if live:
        session.install("sphinx-autobuild")
    session.run(
        "sphinx-autobuild" if live else "sphinx-build", "-W", "-E", "docs", "docs/_build/html"
    )


@nox.session(python=NEWEST)
def golden(session: nox.Session) -> None:
    """Write the golden files anew; the diff is the review."""
    _install(session, "test")
    session.run("pytest", "tests/golden", *session.posargs, env={"QMON_GOLDEN": "write"})


@nox.session(python=NEWEST)
def news(session: nox.Session) -> None:
    """Show the news of the next release; `-- build` writes them into CHANGELOG.md."""
    session.install(*nox.project.dependency_groups(PROJECT, "news"))
    how = "--yes" if "build" in session.posargs else "--draft"
    session.run("towncrier", "build", how, "--version", PROJECT["project"]["version"])
