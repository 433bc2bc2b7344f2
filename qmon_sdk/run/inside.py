"""What `qmon-run` does in the program's own process, before the program's first line."""

from __future__ import annotations

import os

from qmon_sdk.client import guarded
from qmon_sdk.start import init

from .words import INSTRUMENT


def begin() -> None:
    """Begin to watch, as told by the environment that `qmon-run` has set."""
    init()
    wanted = os.environ.get(INSTRUMENT, "")
    if wanted:
        _instrument(wanted)


@guarded
def _instrument(wanted: str) -> None:
    from .modules import instrument_when_imported

    instrument_when_imported(name for name in wanted.split(",") if name)
