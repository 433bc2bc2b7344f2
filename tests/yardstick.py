"""A yardstick of a busy machine, for promises of how long something takes on an idle one."""

from __future__ import annotations

import subprocess
import sys
import time

# To import what the agent stands on took this long on an idle one.
YARDSTICK = "import psutil, sqlalchemy, starlette.applications, uvicorn, uvloop"
YARDSTICK_S = 0.35


def yardstick() -> float:
    """How long this machine takes, now, for what no agent can start without."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", YARDSTICK], check=True)
    return time.monotonic() - began


def slowness(yardstick_s: float) -> float:
    """By how much the machine is slower than an idle one; an idle one gets no allowance."""
    return max(1.0, yardstick_s / YARDSTICK_S)
