"""Coverage-guided fuzzing of OTLP, both encodings: `nox -s fuzz`.

The first byte chooses the lane and the encoding. A finding is any exception that is not a
`WireError`, or signals that cannot be written as a frame.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["qmon_agent", "qmon_sdk"]):
    from qmon_agent.ingest.growth import Growth
    from qmon_agent.ingest.otlp.encoding import LANES
    from qmon_agent.ingest.otlp.json_encoding import JsonEncoding
    from qmon_agent.ingest.otlp.translation import Translator, protobuf
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.errors import WireError
    from qmon_sdk.protocol.frames import Frame, decode_frame, encode_frame

ENCODINGS = (protobuf(), JsonEncoding())


def one_input(data: bytes) -> None:
    """Read the bytes as the request of a lane; what can be read must make a frame."""
    if not data:
        return
    lane, encoding = LANES[data[0] % len(LANES)], ENCODINGS[data[0] // len(LANES) % len(ENCODINGS)]
    translator = Translator(Growth(began=0), now=lambda: 1)
    try:
        told = translator.translate(lane, data[1:], encoding)
    except WireError:
        return
    for resource, signals in told.parcel.groups:
        decode_frame(encode_frame(Frame(resource=resource, blocks=blocks_of(signals))))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
