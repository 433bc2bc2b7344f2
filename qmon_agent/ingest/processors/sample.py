"""Keep a share of the traces, whole: by chance alike everywhere, or by what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Literal, cast

import msgspec

from qmon_agent.domain.bounds import Amount, Bytes, Seconds
from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.sampling.consistent import randomness_of
from qmon_agent.ingest.sampling.marks import STATE, marked
from qmon_agent.ingest.sampling.names import Names
from qmon_agent.ingest.sampling.policy import Policy, Wishes
from qmon_agent.ingest.sampling.rates import Rate, Rates
from qmon_agent.ingest.sampling.red import Red
from qmon_agent.ingest.sampling.traces import Patience, Traces
from qmon_sdk.protocol.signals import Span

from . import THE_END

_SLACK = 1_000_000_000  # a record may be read a moment after it arrived


class SampleProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Keeps some of the traces, says of each span how many it stands for, and counts all first.

    Errors, logs and all else pass untouched.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(("span", "error"))
    mode: Literal["head", "tail"] = "head"
    """`head`: each span at once, by the random bits of its trace. `tail`: traces are gathered."""
    rate: float = 1.0
    """The share of traces that is kept, from 0 to 1; with `tail`, of those nobody needs."""
    rates: tuple[Rate, ...] = ()
    """Other shares, each with its own `match`; with `tail` it is asked of a trace's first span."""
    metrics: bool = True
    """Whether requests, errors and durations are counted from all spans, before any is dropped."""
    metrics_every_s: Seconds = 10.0
    """Time between two points of the same series of them."""
    metrics_max_series: Amount = 2_000
    """Series of them at the same time; what is beyond goes into one that says `overflow`."""
    wait_s: float = 30.0
    """With `tail`: how long a trace is waited for whose root does not come."""
    grace_s: float = 5.0
    """With `tail`: how long spans are waited for behind their root."""
    max_bytes: Bytes = 64 << 20
    """With `tail`: memory for waiting spans, about; beyond, the oldest is decided upon early."""
    slow_s: float = 0.0
    """With `tail`: traces that took as long as this are kept; 0: there is no such bound."""
    slow_quantile: float = 0.99
    """With `tail`: traces slower than this share of their route's are kept; 0: none for that."""
    rare_s: float = 300.0
    """With `tail`: a trace with a span of a name not seen for so long is kept; 0: none for that."""
    floor_per_minute: int = 5
    """With `tail`: of each service and route, as many are kept in any minute."""

    def __post_init__(self) -> None:
        self._rates = Rates(self.rates, self.rate)
        self._red = Red(self.metrics_every_s, max_series=self.metrics_max_series)
        self._names = Names()
        wishes = Wishes(
            rates=self._rates,
            slow_s=self.slow_s,
            slow_quantile=self.slow_quantile,
            rare_s=self.rare_s,
            floor_per_minute=self.floor_per_minute,
        )
        patience = Patience(wait_s=self.wait_s, grace_s=self.grace_s, max_bytes=self.max_bytes)
        self._traces = Traces(Policy(wishes), patience)

    @property
    def holds(self) -> int | None:
        """The oldest record that is counted and not told, or whose spans wait."""
        held = (self._red.holds, self._traces.holds)
        return min((each for each in held if each is not None), default=None)

    @property
    def held(self) -> int:
        """Spans of which nothing has come out yet."""
        return self._traces.held

    @property
    def size(self) -> int:
        """Bytes they take, about."""
        return self._traces.size

    @property
    def early(self) -> int:
        """Traces decided upon before their time, for want of room."""
        return self._traces.early

    def process(self, lot: Lot) -> Iterable[Lot]:
        """Counts it, then keeps some of it, now or later."""
        if lot.kind == "error":
            return (lot, *self._traces.note(lot.signals)) if self.mode == "tail" else (lot,)
        spans = cast("Sequence[Span]", lot.signals)
        told = [*self._red.due(lot.origin.time)]
        if self.metrics:
            self._red.count(lot)
        if self.mode == "head":
            return (*told, lot.keep([*self._by_chance(lot, spans)]))
        return (*told, *self._traces.take(lot, self._names.of(lot)))

    def tick(self, now: int) -> Iterable[Lot]:
        """What is due."""
        over = now if now == THE_END else now - _SLACK
        return (*self._red.due(over), *self._traces.due(now))

    def _by_chance(self, lot: Lot, spans: Sequence[Span]) -> Iterator[Span]:
        threshold_of = self._rates.of(lot.resource)
        for span in spans:
            if not span.trace_id:
                yield span
                continue
            threshold = threshold_of(span)
            if randomness_of(span.trace_id, span.attributes.get(STATE, "")) >= threshold:
                yield marked(span, threshold, "probability")
