"""The first step inside: where a package of the agent is missing, say which and how to get it."""

from __future__ import annotations

import sys
from typing import NoReturn

from qmon_agent.cli._front_doors import leave_closed

HOW = "python -m pip install 'qmon[all]'"


def main() -> NoReturn:
    """The console script `qmon-agent`, which a bare install of the SDK brings along too."""
    leave_closed()
    try:
        from qmon_agent.cli._program import main as program
    except ModuleNotFoundError as absent:
        if (absent.name or "").startswith("qmon"):
            raise
        sys.stderr.write(f"qmon-agent: {absent.name} is not installed; {HOW}\n")
        sys.exit(2)
    program()
