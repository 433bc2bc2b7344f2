"""The processors: spans that one core takes through a chain of three, from frame to frame."""

from __future__ import annotations

import os
import time

from qmon_agent.ingest.chain import Chain
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.lots import Origin
from qmon_agent.ingest.passing import Framer, lots_of
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_frame, encode_frame
from qmon_sdk.protocol.signals import Span

from .figures import Figure

ROWS = 500
FRAMES, QUICK_FRAMES = 200, 20
ROUNDS = 5
CHAIN = (
    {"kind": "drop", "match": {"name": "GET /health*"}},
    {"kind": "scrub"},
    {"kind": "rename", "attributes": {"http.method": "http.request.method"}},
)
_PROCESS = b"p" * 16


def measure(*, quick=False):
    """By processor time: a shared machine's clock says nothing of a loop that never waits."""
    frames = [a_frame(number) for number in range(1, (QUICK_FRAMES if quick else FRAMES) + 1)]
    through(frames[:QUICK_FRAMES])
    rates = [ROWS * len(frames) / through(frames) for _ in range(1 if quick else ROUNDS)]
    return [
        Figure(
            what="spans of five attributes through drop, scrub and rename: a second and core",
            ours=rates,
            wanted=(">=", 100_000),
        )
    ]


def through(frames):
    """Decode, process and encode them all; the seconds of processor it took."""
    chain, framer = Chain(make_steps(CHAIN)), Framer(b"i" * 16)
    begun = time.process_time()
    for number, payload in enumerate(frames, 1):
        frame = decode_frame(payload)
        lots = lots_of(frame, Origin(process=_PROCESS, sequence=number, record_id=number, time=1))
        passed = chain.process(lots)
        assert [*framer.frames(payload, frame, lots=lots, passed=passed)]
    seconds = time.process_time() - begun
    assert len(frames) * ROWS // 20 == chain.tallies["drop"].dropped
    return seconds


def a_frame(number):
    """As a web application's: one in twenty is a health check, one attribute is never the same."""
    spans = [
        Span(
            time=time.time_ns() + row,
            trace_id=os.urandom(16).hex(),
            span_id=os.urandom(8).hex(),
            parent_id=os.urandom(8).hex(),
            name="GET /health" if row % 20 == 0 else f"GET /route/{row % 7}",
            kind="server",
            duration_ns=1000 * row,
            user_id=f"user-{row % 50}",
            attributes={
                "http.method": "GET",
                "http.route": f"/route/{row % 7}",
                "http.response.status_code": "200",
                "server.address": "shop.example",
                "cart": str(row),
            },
        )
        for row in range(ROWS)
    ]
    resource = Resource(service="bench", host="box")
    return encode_frame(
        Frame(process=_PROCESS, sequence=number, resource=resource, blocks=blocks_of(spans))
    )


CASES = {"chain": measure}
