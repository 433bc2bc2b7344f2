"""Processors driven by hand: lots of signals in, and what came of them."""

from __future__ import annotations

from qmon_agent.ingest.lots import Lot, Origin
from qmon_agent.ingest.processors import PROCESSORS, THE_END
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Span, kind_of

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND


def a_trace(number: int, spans: int = 1, **root) -> list[Span]:
    """Spans of one trace; the root comes last, as it ends last."""
    trace_id = f"{number:032x}"
    inner = [
        Span(trace_id=trace_id, span_id=f"{n:016x}", parent_id="f" * 16, name=f"step {n}")
        for n in range(1, spans)
    ]
    usual = {"name": "GET /", "kind": "server", "duration_ns": 1_000_000}
    return [*inner, Span(trace_id=trace_id, span_id="f" * 16, **{**usual, **root})]


class Sieve:
    """A processor, the moment it believes it is, and everything that came out."""

    def __init__(self, kind: str, **options) -> None:
        self.processor = PROCESSORS.build(kind, options)
        self.now = BEGIN
        self.lots: list[Lot] = []
        self.came = 0
        self._records = 0

    def put(self, *signals, service="shop", **resource) -> list[Lot]:
        """One record, which has just arrived."""
        self._records += 1
        origin = Origin(
            process=b"p" * 16, sequence=self._records, record_id=self._records, time=self.now
        )
        whose = Resource(service=service, **resource)
        self.came += len(signals)
        lot = Lot(whose, (kind_of(signals[0]), signals), origin=origin)
        return self._out(self.processor.process(lot))

    def wait(self, seconds: float) -> list[Lot]:
        self.now += round(seconds * SECOND)
        return self._out(self.processor.tick(self.now))

    def end(self) -> list[Lot]:
        return self._out(self.processor.tick(THE_END))

    @property
    def kept(self) -> list:
        """Signals that came out of those that were put in."""
        return [each for lot in self.lots if lot.origin.process for each in lot.signals]

    @property
    def made(self) -> list:
        """Signals that the processor made itself."""
        return [each for lot in self.lots if not lot.origin.process for each in lot.signals]

    @property
    def dropped(self) -> int:
        return sum(lot.dropped for lot in self.lots)

    def _out(self, lots) -> list[Lot]:
        came = [*lots]
        self.lots += came
        return came
