"""Coverage-guided fuzzing of what reads remote write: `nox -s fuzz`.

A finding is any exception that is not a `MessageError`, or a row that fits into no frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from qmon_agent.ingest.remote_messages import V1, V2, MessageError, unpacked
    from qmon_agent.ingest.remote_points import RemotePoints
    from qmon_agent.ingest.remote_series import MessageReader
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.frames import pack_block


def one_input(data: bytes) -> None:
    """Read the bytes packed and as they are, as both versions, twice."""
    try:
        unpacked(data, most=1 << 16)
    except MessageError:
        pass
    for kind in (V1, V2):
        points, reader = RemotePoints(100), MessageReader()
        for half in (data, data[: len(data) // 2], data):
            try:
                told = points.translate(reader.read(half, kind))
            except MessageError:
                continue
            points.commit()
            for _, rows in told.resources():
                for block in blocks_of(rows):
                    pack_block(block)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
