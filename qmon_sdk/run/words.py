"""How the two halves of `qmon-run` speak: variables that the program and its children inherit."""

from __future__ import annotations

PREFIX = "QMON_RUN_PREFIX"
"""The environment qmon is installed in; a Python of another one is left alone."""

PID = "QMON_RUN_PID"
"""The first process, which keeps its number when it runs another program in its place."""

ALONE = "QMON_RUN_ALONE"
"""`1`: only the first process is watched."""

INSTRUMENT = "QMON_RUN_INSTRUMENT"
"""Modules whose public functions become spans, between commas."""
