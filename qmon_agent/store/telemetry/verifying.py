"""Is every byte of the segments and of their list what was written? Reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from qmon_agent import durable
from qmon_agent.domain.errors import StoreError

from . import manifest as manifests
from .manifest import Segment

SET_ASIDE = "it was set aside"
UNKNOWN = "nobody knows by which checksums the segments are to be judged"


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not what it was."""

    file: str
    trouble: str
    table: str = ""
    day: str = ""
    rows: int = 0
    oldest: int = 0
    newest: int = 0


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong."""

    segments: int = 0
    bytes: int = 0
    damages: tuple[Damage, ...] = ()


def verify(directory: Path) -> Verified:
    """Read everything; as much as there is, at the disk's pace."""
    try:
        listed = manifests.load(directory)
    except StoreError as error:
        trouble = f"{error}; {UNKNOWN}: the next start makes the list anew"
        return Verified(damages=(Damage(file=manifests.FILE, trouble=trouble),))
    known = tuple(_damage(each, SET_ASIDE) for each in listed.damaged)
    found = tuple(_looked_at(directory, listed.segments))
    return Verified(
        segments=len(listed.segments),
        bytes=sum(each.bytes for each in listed.segments),
        damages=(*known, *found),
    )


def _looked_at(directory: Path, segments: tuple[Segment, ...]) -> Iterator[Damage]:
    for segment in segments:
        try:
            found = durable.sha256_of(directory / segment.file)
        except FileNotFoundError:
            if _is_listed(directory, segment):
                yield _damage(segment, "the file is gone")
        except OSError as error:
            yield _damage(segment, f"it cannot be read: {error.strerror}")
        else:
            if found != segment.sha256:
                yield _damage(segment, "its checksum does not fit")


def _is_listed(directory: Path, segment: Segment) -> bool:
    """Whether it is listed still: a running agent joins and gives up files at any time."""
    try:
        return segment in manifests.load(directory).segments
    except StoreError:
        return True


def _damage(segment: Segment, trouble: str) -> Damage:
    return Damage(
        file=segment.file,
        trouble=trouble,
        table=segment.table,
        day=segment.day,
        rows=segment.rows,
        oldest=segment.oldest,
        newest=segment.newest,
    )
