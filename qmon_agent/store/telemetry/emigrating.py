"""An embedded store moved into ClickHouse: blocks under names, each once, and then compared.

Every block has a name, of its segment's checksum and a number, and the file `migration.json`
says which have arrived. Killed between the two, a block goes out again under its name, and the
server, which knows it, does not take it twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError

from . import manifest as manifests
from . import underway as marks
from .engines.clickhouse.address import address_of
from .engines.clickhouse.blocks import blocks_of_rows
from .engines.clickhouse.ddl import Layout
from .engines.clickhouse.gone import Gone
from .engines.clickhouse.outgoing import begin_at
from .engines.clickhouse.server import Server
from .engines.duckdb import leaving
from .manifest import Manifest, Segment
from .options import TelemetryOptions
from .schema import BY_NAME, EVERY_TABLE
from .sums import Sum
from .underway import Underway

BLOCK_ROWS = 100_000
NAME_LENGTH = 16
Say = Callable[[str], None]


class Emigrated(msgspec.Struct, frozen=True, kw_only=True):
    """What is in ClickHouse now, and the same as here."""

    sums: Mapping[str, Mapping[str, Sum]]
    """Table → day → rows and their checksum, as both engines say."""
    segments: int
    sent: int
    """Of these, how many were sent now."""
    left: Mapping[str, int] = {}
    """Table of rollups → rows that stay here."""
    damaged: int = 0
    """Segments that had been set aside before: their rows are nowhere."""


def emigrate(
    options: TelemetryOptions,
    state: Path,
    *,
    block_rows: int = BLOCK_ROWS,
    say: Say = lambda _: None,
) -> Emigrated:
    """Send every row of the embedded store at `options.directory` to `options.address`.

    Where the journal is left off is written for the agent that is to send from `state`. Raises
    StoreError for a damaged segment, a database that has rows of others, a server that is away,
    or sums that are not the same.
    """
    here = Path(options.directory)
    leaving.settle(msgspec.structs.replace(options, address=""))
    manifest = manifests.load(here)
    address = address_of(options.address)
    layout = Layout(
        database=address.database, cluster=address.cluster, is_alone=bool(address.folder)
    )
    server = Server(address, options.password, layout)
    try:
        move = _Move(server, state, target=options.address, block_rows=block_rows)
        sent = move.send(manifest, here, say=say)
        compared = _compared(server, manifest, here, say=say)
    finally:
        server.close()
    gone = Gone(forgotten=manifest.forgotten, damaged=manifest.damaged_rows)
    begin_at(state / "telemetry", manifest.exported, sender=move.underway.sender, gone=gone)
    return Emigrated(
        sums=compared,
        segments=len(_raw(manifest)),
        sent=sent,
        left=_left(manifest),
        damaged=len(manifest.damaged),
    )


class _Move:
    """Sends segments, and writes down how far it is."""

    def __init__(self, server: Server, state: Path, *, target: str, block_rows: int) -> None:
        self._server, self._state, self._block_rows = server, state, block_rows
        server.make_ready()
        self.underway = marks.load(state, target=target) or self._begun(target)

    def send(self, manifest: Manifest, here: Path, *, say: Say) -> int:
        """How many segments were not there yet."""
        marks.check(self.underway, manifest)
        known = set(self.underway.done)
        waiting = [each for each in _raw(manifest) if each.sha256 not in known]
        # The one that was begun first of all: only of one it is known how much has arrived.
        waiting.sort(key=lambda each: each.sha256 != self.underway.segment)
        for number, segment in enumerate(waiting, 1):
            say(f"segment {number} of {len(waiting)}: {segment.rows} rows of {segment.table}")
            self._send_segment(segment, here)
        return len(waiting)

    def _send_segment(self, segment: Segment, here: Path) -> None:
        path = here / segment.file
        if not path.exists() or durable.sha256_of(path) != segment.sha256:
            raise StoreError(f"{path} is damaged: its checksum does not fit")
        sent, number = self.underway.sent_of(segment), 0
        for rows in leaving.pieces(segment, directory=here, rows=self._block_rows):
            for block in blocks_of_rows(BY_NAME[segment.table], rows):
                number += 1
                if number > sent:
                    name = f"{self.underway.sender}-{segment.sha256[:NAME_LENGTH]}-{number}"
                    self._server.send(block.table, block.data, name=name)
                    self._write(self.underway.behind(segment, number))
        self._write(self.underway.finished(segment))

    def _begun(self, target: str) -> Underway:
        if found := [name for name, rows in self._server.rows().items() if rows]:
            raise StoreError(
                f"{target} has rows already ({', '.join(found)}): name an empty database, for "
                "nobody could tell afterwards whether all of these have arrived"
            )
        begun = Underway(target=target, sender=uuid.uuid4().hex[:NAME_LENGTH])
        self._write(begun)
        return begun

    def _write(self, underway: Underway) -> None:
        marks.save(self._state, underway)
        self.underway = underway


def _compared(
    server: Server, manifest: Manifest, here: Path, *, say: Say
) -> dict[str, dict[str, Sum]]:
    """What both engines say of each table; StoreError where they do not say the same."""
    found = {}
    for table in EVERY_TABLE:
        say(f"comparing {table.name}")
        ours = leaving.sums_of(table, manifest, directory=here)
        theirs = server.sums(table)
        for day in sorted({*ours, *theirs}):
            if (mine := ours.get(day)) != (other := theirs.get(day)):
                raise StoreError(
                    f"{table.name} of {day} differs: here {_said(mine)}, there {_said(other)}"
                )
        if ours:
            found[table.name] = ours
    return found


def _said(sum_: Sum | None) -> str:
    return f"{sum_.rows} rows ({sum_.checksum})" if sum_ else "nothing"


def _raw(manifest: Manifest) -> list[Segment]:
    return [segment for segment in manifest.segments if segment.table in BY_NAME]


def _left(manifest: Manifest) -> dict[str, int]:
    left: dict[str, int] = {}
    for segment in manifest.segments:
        if segment.table not in BY_NAME:
            left[segment.table] = left.get(segment.table, 0) + segment.rows
    return left
