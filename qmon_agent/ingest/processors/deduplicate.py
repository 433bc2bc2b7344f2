"""Say the same thing once, and then how often it was said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from qmon_agent.domain.bounds import Amount, Bytes, Seconds
from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.sampling.keys import Keys
from qmon_agent.ingest.sampling.repeats import Repeats

_SECOND = 1_000_000_000


class DeduplicateProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The first of a content in a window passes at once; at its end, the last of those like it.

    That one has `qmon.repeated`: how many there were behind the first.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(("log", "error", "event", "finding"))
    by: tuple[str, ...] = ("service", "kind", "level", "name", "body")
    """What has to be the same: `service`, `host`, `kind`, `name`, `body`, a field, an attribute.

    Of a log, `body` is what stands behind the time that its line begins with.
    """
    within_s: Seconds = 60.0
    """The windows, cut on the clock."""
    max_keys: Amount = 10_000
    """Contents remembered at the same time; beyond, the oldest window ends early."""
    max_bytes: Bytes = 16 << 20
    """Memory for what was repeated, about; beyond, the oldest window ends early."""

    def __post_init__(self) -> None:
        self._keys = Keys(self.by, timeless=True)
        within = int(self.within_s * _SECOND)
        self._repeats = Repeats(within, max_keys=self.max_keys, max_bytes=self.max_bytes)

    @property
    def holds(self) -> int | None:
        """The oldest record with something that was repeated since."""
        return self._repeats.holds

    @property
    def size(self) -> int:
        """Bytes of what was repeated, about."""
        return self._repeats.size

    def process(self, lot: Lot) -> Iterable[Lot]:
        """Lets what is new pass; what another processor made is always new."""
        if not lot.origin.record_id:
            return (lot,)
        told = self._repeats.due(lot.origin.time)
        key_of, is_new = self._keys.of(lot), self._repeats.is_new
        kept = [signal for signal in lot.signals if is_new(key_of(signal), signal, lot)]
        return (*told, lot if len(kept) == lot.rows else lot.keep(kept))

    def tick(self, now: int) -> Iterable[Lot]:
        """What was repeated in windows that are over."""
        return self._repeats.due(now)
