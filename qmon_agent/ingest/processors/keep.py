"""Let signals fall that nobody has asked for: only what fits is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.matching import EVERYTHING, Match, Matcher
from qmon_sdk.protocol.signals import SIGNALS

from . import ALL_KINDS


class KeepProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whatever `match` does not fit is dropped, and counted by this processor's name."""

    kinds: ClassVar[frozenset[str]] = ALL_KINDS

    match: Match
    """What is kept."""
    among: tuple[str, ...] = ()
    """Kinds of signals it decides about; others are all kept. Empty: every kind."""
    _matcher: Matcher | None = None

    def __post_init__(self) -> None:
        if self.match == EVERYTHING:
            raise ConfigError("match", "says nothing, so that everything would be kept")
        for kind in self.among:
            if kind not in SIGNALS:
                known = nearest_to(kind, SIGNALS) or tuple(SIGNALS)
                raise ConfigError("among", f"no such kind of signal: {kind!r}", known)
        self._matcher = Matcher(self.match)

    def process(self, lot: Lot) -> Iterable[Lot]:
        if self._matcher is None or (self.among and lot.kind not in self.among):
            return (lot,)
        fits = self._matcher.of(lot.resource, lot.kind)
        if isinstance(fits, bool):
            return (lot if fits else lot.drop(),)
        kept = [*filter(fits, lot.signals)]
        return (lot if len(kept) == lot.rows else lot.keep(kept),)
