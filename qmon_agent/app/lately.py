"""What came lately, by kind: how much of what is booked a store that is behind cannot have yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

# When there are more, all but the newest are put together, two and two.
_MOST, _FINE = 512, 256


class Stretch(msgspec.Struct, frozen=True):
    """Records behind the stretch before, up to one of them, and their rows by kind."""

    upto: int
    rows: dict[str, int]


class Lately(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The rows of every record since one of them; kept with the books."""

    since: int = -1
    """The record behind which all are known; none where nobody has looked yet."""
    stretches: list[Stretch] = []

    def note(self, record_id: int, rows: Mapping[str, int], *, after: int) -> None:
        """A record that came after the one that was the last until now."""
        if self.since < 0:
            self.since = after
        if rows:
            self.stretches.append(Stretch(record_id, dict(rows)))
        if len(self.stretches) > _MOST:
            self._join()

    def behind(self, place: int) -> Counter[str] | None:
        """At most so many rows are behind a record, by kind; None where that is not known.

        Exactly so many, unless the record is in the midst of a stretch.
        """
        if self.since < 0 or place < self.since:
            return None
        rows: Counter[str] = Counter()
        for stretch in self.stretches:
            if stretch.upto > place:
                rows.update(stretch.rows)
        return rows

    def passed(self, place: int) -> None:
        """Nobody asks any more about what is before this record."""
        if done := [each.upto for each in self.stretches if each.upto <= place]:
            self.since = done[-1]
            self.stretches = self.stretches[len(done) :]

    def _join(self) -> None:
        older = self.stretches[:-_FINE]
        joined = [
            Stretch(two.upto, dict(Counter(one.rows) + Counter(two.rows)))
            for one, two in zip(older[::2], older[1::2], strict=False)
        ]
        self.stretches = joined + self.stretches[2 * len(joined) :]
