"""What one committed record means to the books, the catalog and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from qmon_agent.alerting.observed import Observed
from qmon_agent.app.conservation import Conservation
from qmon_agent.domain.identity import replica_of
from qmon_agent.domain.late_rows import LateRows
from qmon_agent.domain.point_columns import PointColumns
from qmon_agent.journal import Position, Record
from qmon_agent.monitoring.discovery import Discovery
from qmon_agent.monitoring.latest import LatestValues
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.errors import WireError
from qmon_sdk.protocol.frames import Frame, decode_frame

_OBSERVED = {"error": "errors", "session": "sessions", "checkin": "checkins"}
"""What is mostly looked at by some rule; of spans only the number of rows is of interest here."""
_LATE = {"log": "logs", "event": "events", "snapshot": "snapshots", "finding": "findings"}
"""What mostly nobody looks at."""


class Observer(Protocol):
    """The rules. Called from the walk's thread only, in the order of the journal."""

    def observe(self, batch: Observed) -> None: ...


class Judging:
    """Decodes each record once and shows it to everybody who judges by it."""

    def __init__(
        self,
        observer: Observer,
        *,
        conservation: Conservation,
        latest: LatestValues,
        discovery: Discovery,
        judged: Position,
        vitals: Vitals,
    ) -> None:
        self._observer = observer
        self._conservation = conservation
        self._latest = latest
        self._discovery = discovery
        self._judged = judged
        self._vitals = vitals

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            try:
                self._judge(record)
            except WireError as problem:
                self._vitals.add("walk_undecodable", reason=problem.reason)
            except Exception as problem:  # noqa: BLE001 - one bad record must not stop the rules
                self._vitals.add("walk_failures", error=type(problem).__name__)

    def _judge(self, record: Record) -> None:
        frame = decode_frame(record.payload)
        self._conservation.enter(frame, record_id=record.record_id, time=record.time)
        if record.record_id <= self._judged.record_id:
            return
        batch = observed_of(record, frame)
        self._latest.note(batch.service, batch.points)
        self._discovery.note(batch.service, batch.points)
        self._observer.observe(batch)


def observed_of(record: Record, frame: Frame) -> Observed:
    """The signals of a record that rules look at."""
    seen: dict[str, Sequence[object]] = {
        name: LateRows([block for block in frame.blocks if block.kind == kind])
        for kind, name in _LATE.items()
    }
    for kind, name in _OBSERVED.items():
        of = [block for block in frame.blocks if block.kind == kind]
        seen[name] = [row for block in of for row in rows_of(block)]
    points = [block for block in frame.blocks if block.kind == "point"]
    return Observed(
        points=PointColumns(points),
        service=frame.resource.service,
        environment=frame.resource.environment,
        release=frame.resource.release,
        replica=replica_of(frame),
        began=frame.resource.started,
        time=record.time,
        record_id=record.record_id,
        position=text_of(record.position),
        **seen,  # type: ignore[arg-type]  # the kind of a block is the type of its rows
    )


def text_of(position: Position) -> str:
    """A place in the journal as the rules keep it, beside what they made of it."""
    return f"{position.record_id}:{position.segment}:{position.offset}"


def position_of(text: str) -> Position:
    """The place again; the beginning for a text of another making."""
    parts = text.split(":")
    if len(parts) == len(Position.__struct_fields__) and all(part.isdigit() for part in parts):
        return Position(*map(int, parts))
    return Position()
