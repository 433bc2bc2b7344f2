"""Let through so many a second of each key, and drop or sample what is beyond."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import ClassVar, Literal

import msgspec

from qmon_agent.domain.bounds import Amount, Rate
from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.sampling.allowance import Allowance
from qmon_agent.ingest.sampling.consistent import randomness_of, threshold_of, weight_of
from qmon_agent.ingest.sampling.keys import Keys
from qmon_agent.ingest.sampling.marks import REASON, STATE, WEIGHT, labelled, marked
from qmon_sdk.protocol.signals import Signal, Span

from . import ALL_KINDS

_EXCESS = "excess"


class RateLimitProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Each key has a bucket of its own: however loud one is, the others get what is theirs."""

    kinds: ClassVar[frozenset[str]] = ALL_KINDS
    per_s: Rate
    """Signals a second that each key may have in the long run."""
    burst: float = 0.0
    """Signals it may have at once; as many as in a second, if nothing is said."""
    by: tuple[str, ...] = ("service", "kind", "name")
    """What a key is made of: `service`, `host`, `kind`, `name`, a field, or an attribute."""
    max_keys: Amount = 10_000
    """Keys that have a bucket at the same time; busy ones beyond share one."""
    excess: Literal["drop", "sample"] = "drop"
    """What becomes of the rest: nothing, or `excess_rate` of it is kept and says its weight."""
    excess_rate: float = 0.01
    """The share of the rest that is kept with `sample`: of spans, by the bits of their trace."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.excess_rate <= 1.0:
            raise ConfigError("excess_rate", f"{self.excess_rate!r} is no share: from 0 to 1")
        self._threshold = threshold_of(self.excess_rate)
        burst = self.burst or max(self.per_s, 1.0)
        self._allowance = Allowance(self.per_s, burst, most_keys=self.max_keys)
        self._keys = Keys(self.by)
        self._now = 0

    def process(self, lot: Lot) -> Iterable[Lot]:
        """Takes a token for each, in their order."""
        self._now = now = max(self._now, lot.origin.time)  # what is made here has no time
        key_of, takes = self._keys.of(lot), self._allowance.takes
        kept = [
            chosen
            for signal in lot.signals
            if (chosen := signal if takes(key_of(signal), now) else self._excess(signal))
        ]
        return (lot if len(kept) == lot.rows else lot.keep(kept),)

    def _excess(self, signal: Signal) -> Signal | None:
        if self.excess == "drop" or not self.excess_rate:
            return None
        if isinstance(signal, Span) and signal.trace_id:
            bits = randomness_of(signal.trace_id, signal.attributes.get(STATE, ""))
            return marked(signal, self._threshold, _EXCESS) if bits >= self._threshold else None
        digest = blake2b(repr(tuple(signal)).encode("utf-8", "replace"), digest_size=7).digest()
        if int.from_bytes(digest, "big") < self._threshold:
            return None
        return labelled(signal, {WEIGHT: f"{weight_of(self._threshold):.12g}", REASON: _EXCESS})
