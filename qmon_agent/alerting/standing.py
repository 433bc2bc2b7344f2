"""Where an alert stands, for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from qmon_agent.domain.alarms.matchers import known_by
from qmon_agent.domain.steadiness import calm_at

from .watch import Watch


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of one alert, now; zero times mean `not yet`."""

    alert: str
    system: str = ""
    """The service whose metric it is about, where it is about one."""
    instance: str
    state: str
    unknown: str = ""
    severity: str = "warning"
    value: float | None = None
    incident: str = ""
    since: int = 0
    fired_at: int = 0
    labels: Mapping[str, str] = {}
    text: str = ""
    unknown_since: int = 0
    changes_at: int = 0
    """When it goes on to another state if nothing else changes."""
    is_flapping: bool = False
    """Whether it changes so often that nobody hears of each change."""
    created_by: str = ""
    """Who has made the alert."""

    @property
    def matched_labels(self) -> dict[str, str]:
        """The labels by which routes, silences, inhibition and status pages know it."""
        return known_by(self.labels, alert=self.alert, severity=self.severity, service=self.system)

    @property
    def is_firing(self) -> bool:
        """Whether somebody has been told and nobody that it is over."""
        return self.fired_at > 0


def standings(watch: Watch) -> Iterator[Standing]:
    """One for each instance."""
    for instance, cell in watch.cells.items():
        episode = cell.episode
        yield Standing(
            alert=watch.alert.name,
            system=watch.system,
            instance=instance,
            state=episode.state,
            unknown=episode.unknown,
            severity=cell.severity or watch.alert.severity,
            value=cell.value,
            incident=cell.incident if episode.state != "inactive" else "",
            since=episode.since,
            fired_at=episode.fired_at,
            labels=cell.labels,
            text=cell.text,
            unknown_since=episode.unknown_since,
            changes_at=calm_at(cell.flaps, episode, policy=watch.policy) or 0,
            is_flapping=cell.flaps.is_flapping,
            created_by=watch.alert.created_by,
        )
