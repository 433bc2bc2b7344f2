"""How far a move to another engine is: one file, written before and after each block."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError

from .manifest import Manifest, Segment

FILE = "migration.json"


class Underway(msgspec.Struct, frozen=True, kw_only=True):
    """What has arrived of a move."""

    version: int = 1
    target: str
    sender: str
    """Part of every block's name."""
    done: tuple[str, ...] = ()
    """Checksums of the segments that are there whole."""
    segment: str = ""
    """The one that is being sent."""
    blocks: int = 0
    """So many of it are there."""

    def behind(self, segment: Segment, blocks: int) -> Underway:
        """After so many blocks of a segment have arrived."""
        return msgspec.structs.replace(self, segment=segment.sha256, blocks=blocks)

    def finished(self, segment: Segment) -> Underway:
        """After all of it has."""
        done = (*self.done, segment.sha256)
        return msgspec.structs.replace(self, done=done, segment="", blocks=0)

    def sent_of(self, segment: Segment) -> int:
        """How many blocks of a segment need not be sent."""
        return self.blocks if self.segment == segment.sha256 else 0


def load(state: Path, *, target: str) -> Underway | None:
    """What was begun for this target, if anything was; StoreError for a file that is damaged."""
    path = state / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Underway)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{path} cannot be read ({error}): remove it, and empty {target}, to begin anew"
        ) from error
    return found if found.target == target else None


def save(state: Path, underway: Underway) -> None:
    """On the disk when it returns."""
    durable.replace(state / FILE, msgspec.json.encode(underway))


def check(underway: Underway, manifest: Manifest) -> None:
    """Raise StoreError where a segment that was sent is there no more: it was joined, or left."""
    known = {segment.sha256 for segment in manifest.segments}
    sent = {*underway.done, underway.segment} - {""}
    if gone := len(sent - known):
        raise StoreError(
            f"{gone} segments that were sent are others now, as an agent ran here since: empty "
            f"the database, remove {FILE}, and begin anew"
        )
