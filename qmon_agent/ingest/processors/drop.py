"""Let signals fall that nobody needs: health checks, debug lines, a metric that is too much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from qmon_agent.ingest.lots import Lot

from . import ALL_KINDS


class DropProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whatever `match` fits is dropped, and counted by this processor's name."""

    kinds: ClassVar[frozenset[str]] = ALL_KINDS

    def process(self, lot: Lot) -> Iterable[Lot]:
        return (lot.drop(),)
