"""Sessions that crash: too large a share of them."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_agent.alerting.observed import Observed

from . import About, Fact
from ._series import group
from ._shares import Counts, Shared, shares


class CrashedSessionsRule(Shared, kw_only=True, forbid_unknown_fields=True):
    """Compares the share of sessions that ended in one of `statuses` in a window."""

    threshold: str | float = "> 0.01"
    """The line, as `> 0.01`; a bare number means at least."""
    window: str | float = "1h"
    """How far back is counted."""
    system: str = ""
    """Only sessions of this service; empty means each service by itself."""
    statuses: tuple[str, ...] = ("crashed",)
    """Which ends count: crashed, abnormal, errored."""

    def __post_init__(self) -> None:
        self.prepare()

    def about(self) -> About:
        return About(signals=("sessions",), policy=self.policy)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if batch.sessions and self.system in {"", batch.service}:
            yield from shares(self._counts(batch), batch.time)

    def _counts(self, batch: Observed) -> Iterator[Counts]:
        for session in batch.sessions:
            said = {"environment": batch.environment, **session.attributes}
            crashed = float(session.status in self.statuses)
            yield group(batch.service, self.per, said), crashed, 1.0
