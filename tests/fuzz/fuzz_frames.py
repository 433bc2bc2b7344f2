"""Coverage-guided fuzzing of everything that reads frames: `nox -s fuzz -- -max_total_time=60`.

A finding is any exception that is not a `WireError`. It cannot be a pytest test: libFuzzer owns the
process.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from qmon_sdk.protocol.columns import rows_of
    from qmon_sdk.protocol.errors import WireError
    from qmon_sdk.protocol.frames import decode_ack, decode_frame, encode_frame, split_messages


def one_input(data: bytes) -> None:
    """Read the bytes in every way there is; what can be read must survive being written again."""
    for read in (_frame, decode_ack, lambda some: list(split_messages(some))):
        try:
            read(data)
        except WireError:
            continue


def _frame(data: bytes) -> None:
    frame = decode_frame(data)
    written = encode_frame(frame)  # compared as bytes, since a NaN is not equal to itself
    assert encode_frame(decode_frame(written)) == written
    for block in frame.blocks:
        rows_of(block)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
