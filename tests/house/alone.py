"""Use the SDK with nothing beside it, and measure what importing and starting it costs.

Run by `nox -s alone` in an environment that holds `qmon` without any extra.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

RUNS = 15
BUDGET_MS = 25.0
# Processor time: a busy machine makes a program wait, and that is not what starting costs.
CLOCK = "import time; began = time.process_time_ns(); {}; print(time.process_time_ns() - began)"
START = "import qmon_sdk; qmon_sdk.init(service='alone', dsn='memory:')"
HEAVY = ("asyncio", "http.client", "inspect", "json", "logging", "ssl", "qmon_agent")
# An installation has its bytecode; a fresh environment gets it by the first run.
CACHED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
SMOKE = """
import qmon_sdk as qmon

qmon.init(service="alone", dsn="memory:")

@qmon.instrument
def double(number):
    return number * 2

assert double(21) == 42
qmon.track("doubled", user="u-1")
qmon.count("doubles")
try:
    double(None)
except TypeError as error:
    qmon.capture_exception(error)
assert qmon.flush()
stats = qmon.stats()
assert qmon.shutdown()
print(stats)
"""


def main() -> int:
    """Answer with how many of the things asked for are not so."""
    return [_works(), _is_quick(), _stays_light(), _agent_says_what_it_lacks()].count(False)


def _works() -> bool:
    run = subprocess.run([sys.executable, "-c", SMOKE], check=False, env=CACHED)
    return run.returncode == 0


def _is_quick() -> bool:
    # The best of many: noise only ever adds.
    best = min(int(_output_of(CLOCK.format(START))) for _ in range(RUNS)) / 1e6
    print(f"import and init: {best:.1f} ms of processor time (budget {BUDGET_MS} ms)")
    return best <= BUDGET_MS


def _stays_light() -> bool:
    listed = _output_of(f"{START}; import sys; print(*sys.modules)").split()
    bare = _output_of("import sys; print(*sys.modules)").split()
    brought = [name for name in HEAVY if name in listed and name not in bare]
    print(f"heavy modules brought in: {brought or 'none'}")
    return not brought


def _agent_says_what_it_lacks() -> bool:
    if find_spec("click"):
        return True
    command = [sys.executable, "-m", "qmon_agent.cli", "status"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    print(run.stderr.strip())
    return run.returncode == 2 and "qmon[all]" in run.stderr


def _output_of(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=CACHED
    )
    return run.stdout.splitlines()[-1]


if __name__ == "__main__":
    sys.exit(main())
