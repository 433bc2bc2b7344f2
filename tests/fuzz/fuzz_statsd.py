"""Coverage-guided fuzzing of what reads StatsD: `nox -s fuzz`.

A finding is any exception, or a number that is kept and is none.
"""

from __future__ import annotations

import sys
from math import isfinite

import atheris

with atheris.instrument_imports():
    from qmon_agent.ingest.statsd_fold import StatsdFold
    from qmon_agent.vitals import Vitals
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.frames import pack_block
    from qmon_sdk.protocol.signals import Point


def one_input(data: bytes) -> None:
    """Take the bytes as two datagrams; what they add up to must be fit for a frame."""
    fold = StatsdFold(Vitals(), max_series=8, signed="by_line")
    fold.take(data)
    fold.take(data)
    for signals in fold.drain(1).values():
        assert all(isfinite(one.value) for one in signals if isinstance(one, Point))
        for block in blocks_of(signals):
            pack_block(block)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
