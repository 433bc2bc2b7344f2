"""An error that was resolved, and is there again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.durations import parse_duration, print_duration
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.releases import is_newer
from qmon_sdk.protocol.signals import Error

from . import About, Fact, Judgement
from ._errors import grouping_of, labels_of, named, resolved_in

SHOWN = 500
RELEASES = 16
"""So many of those that an error was seen in last are known."""


class RegressionRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached by an error of a grouping that was resolved, by somebody or by long silence."""

    system: str = ""
    """Only errors of this service; empty means all."""
    levels: tuple[str, ...] = ("error", "fatal", "critical")
    """Only errors of these levels."""
    quiet_for: str | float = "14d"
    """After so long a silence an error was resolved, whatever anybody said; 0 means never."""
    same_release: bool = False
    """Whether it counts, too, when it comes from a release that it was there in before."""
    lasts: str | float = "1d"
    """The incident is over when so long nothing of it came."""
    _quiet_ns: int = 0
    _lasts_ns: int = 0

    def __post_init__(self) -> None:
        self._quiet_ns, self._lasts_ns = parse_duration(self.quiet_for), parse_duration(self.lasts)
        if self._lasts_ns <= 0:
            raise ConfigError("lasts", "has to be some time, as `1d`")

    def about(self) -> About:
        return About(signals=("errors",), resolves_quietly=True, resolved_by_hand=True)

    def notice(self, batch: Observed) -> Iterator[Fact]:
        yield from resolved_in(batch.changed, self.system)
        if self.system not in {"", batch.service}:
            return
        newest: dict[str, Error] = {}
        for error in batch.errors:
            if error.level in self.levels:
                grouping = grouping_of(error)
                if grouping not in newest or newest[grouping].time < error.time:
                    newest[grouping] = error
        for grouping, error in newest.items():
            yield Fact(
                instance=named(batch.service, grouping),
                event_time=error.time,
                text=f"{error.type}: {error.message[:SHOWN]}",
                labels=labels_of(batch.service, error),
                detail={"release": batch.release},
            )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:
        if fact is not None and fact.detail.get("resolved"):
            known = {**memory, "resolved": now}
            known.pop("again", None)
            return Judgement(verdict="clear", memory=known)
        if fact is not None:
            memory = self._seen(memory, fact, now)
        again = memory.get("again")
        if not again:
            return Judgement(verdict="clear" if memory else "unknown", memory=memory)
        over = memory["last"] + self._lasts_ns
        if now < over:
            return Judgement(verdict="breach", memory=memory, wake=over, text=again)
        return Judgement(verdict="clear", memory={**memory, "again": ""})

    def _seen(self, memory: Mapping[str, Any], fact: Fact, now: int) -> dict[str, Any]:
        # A time that was not told, or is still to come, is now.
        at = min(fact.event_time or now, now)
        releases, release = memory.get("releases", []), fact.detail["release"]
        after = dict(memory)
        how = self._how_resolved(memory, at)
        if how and self._counts(release, releases):
            after.pop("resolved", None)
            where = f" in {release}" if release else ""
            after["again"] = f"again{where}, {how}: {fact.text}"
        after["last"] = max(at, memory.get("last", at))
        if release:
            kept = [each for each in releases if each != release]
            after["releases"] = [*kept, release][-RELEASES:]
        return after

    def _how_resolved(self, memory: Mapping[str, Any], at: int) -> str:
        """In words, where it was resolved before this moment; nothing where it was not."""
        if memory.get("again"):
            return ""  # it is known to be there
        resolved, last = memory.get("resolved"), memory.get("last")
        if resolved is not None:
            return "after somebody resolved it" if at > resolved else ""
        if last is None or not self._quiet_ns or at - last < self._quiet_ns:
            return ""
        return f"after a silence of {print_duration((at - last) // 10**9 * 10**9)}"

    def _counts(self, release: str, releases: list[str]) -> bool:
        """Whether it cannot be an old release that still runs."""
        if self.same_release or not releases:
            return True
        return bool(release) and is_newer(release, releases)
