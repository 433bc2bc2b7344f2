"""Names of what comes of a lot: the same ones when the same records are read again."""

from __future__ import annotations

from qmon_agent.ingest.lots import OWN, Lot, Origin


class Names:
    """Tells apart the lots that a record was cut into on its way here."""

    def __init__(self) -> None:
        self._origin: Origin = OWN
        self._seen: dict[tuple[str, bytes], int] = {}

    def of(self, lot: Lot) -> bytes:
        """The lot's own, and how many of that name its record had before."""
        if lot.origin is not self._origin:
            self._origin = lot.origin
            self._seen.clear()
        key = (lot.kind, lot.name)
        number = self._seen[key] = self._seen.get(key, -1) + 1
        return b"%s#%d" % (lot.name, number) if number else lot.name
