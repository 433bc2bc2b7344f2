"""Who spoke, as rows of `resources`: one for each process and generation, the last word counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
import pyarrow as pa

from qmon_agent.domain.routing import speaker_of
from qmon_sdk.protocol.frames import Frame, Resource

from .arrays import TYPES
from .schema import RESOURCES

MOST_PROCESSES = 50_000
"""Of one generation: beyond them a process has its signals kept, and its resource not."""
MOST_BYTES = 16 << 10
"""Of the attributes of one process, in UTF-8; what does not fit is left out and counted."""
_BIGGEST = (1 << 63) - 1


class Speaker(msgspec.Struct, frozen=True):
    """A process and what a frame of it says of who speaks."""

    process: str
    sent: int
    resource: Resource


class Roll:
    """Which processes of a generation are written down, and what as."""

    def __init__(self, processes: Mapping[str, None], counts: Counter[str]) -> None:
        # A digest, not what was said: attributes of many processes are many megabytes.
        self._written: dict[str, int | None] = dict(processes)
        self._counts = counts

    def news(self, speakers: Mapping[str, Speaker]) -> list[Speaker]:
        """Those not written down, or as something else."""
        found = []
        for process, speaker in speakers.items():
            if process in self._written:
                if self._written[process] != _digest(speaker.resource):
                    found.append(speaker)
            elif len(self._written) + len(found) < MOST_PROCESSES:
                found.append(speaker)
            else:
                self._counts["resources_left_out"] += 1
        return found

    def write(self, news: list[Speaker]) -> None:
        """They are, from now on."""
        self._written.update((each.process, _digest(each.resource)) for each in news)

    def rows(self, news: list[Speaker]) -> pa.Table:
        """As rows of the table."""
        return pa.table(
            {
                column.name: pa.array(values, TYPES[column.role])
                for column, values in zip(
                    RESOURCES.columns, zip(*map(self._row, news), strict=True), strict=True
                )
            }
        )

    def _row(self, speaker: Speaker) -> tuple[object, ...]:
        who = speaker.resource
        named = (who.service, who.release, who.environment, who.host, speaker.process)
        started, pid = _bounded(who.started), _bounded(who.pid)
        return (_bounded(speaker.sent), *named, pid, started, who.sdk, self._kept(who.attributes))

    def _kept(self, attributes: Mapping[str, str]) -> list[tuple[str, str]]:
        kept, size = [], 0
        for key, value in attributes.items():
            size += len(key.encode()) + len(value.encode())
            if size > MOST_BYTES:
                self._counts["resources_cut"] += 1
                break
            kept.append((key, value))
        return kept


def speaker_in(frame: Frame) -> Speaker:
    """Whose signals a frame has."""
    return Speaker(speaker_of(frame).hex(), frame.sent, frame.resource)


def _digest(resource: Resource) -> int:
    *fields, attributes = resource
    return hash((*fields, frozenset(attributes.items())))


def _bounded(number: int) -> int:
    return min(max(number, 0), _BIGGEST)
