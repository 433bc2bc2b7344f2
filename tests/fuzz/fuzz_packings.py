"""Coverage-guided fuzzing of what unpacks bodies: `nox -s fuzz`.

A finding is any exception that is no `WireError`, or more than was asked for.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from qmon_agent.ingest.packings import known_packings, unpacked
    from qmon_agent.ingest.posthog.bodies import read_body
    from qmon_agent.ingest.remote_messages import MessageError
    from qmon_agent.ingest.remote_messages import unpacked as unsnapped
    from qmon_sdk.protocol.errors import WireError

MOST = 1 << 16
PACKINGS = sorted(known_packings())


def one_input(data: bytes) -> None:
    """Unpack the bytes in every way there is."""
    for packing in PACKINGS:
        try:
            assert len(unpacked(data, packing, max_bytes=MOST)) <= MOST
        except WireError:
            continue
    try:
        assert len(unsnapped(data, most=MOST)) <= MOST
    except MessageError:
        pass
    for query in ({"compression": "gzip-js"}, {"compression": "base64"}):
        try:
            read_body(data, query, max_bytes=MOST)
        except WireError:
            continue


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
