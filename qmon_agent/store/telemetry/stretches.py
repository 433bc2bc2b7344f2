"""The names of segments: which generations of the hot file a segment holds, so that a list that
was lost can be made anew without a row twice.

`00000007.parquet` is generation 7, `00000007.2.parquet` a part of it that was too much for one
file, and `00000003_00000009.parquet` what was joined of the generations 3 to 9. What was written
anew without some rows has a number behind it: `00000007~1.parquet`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

import msgspec

NAME = re.compile(r"(?P<first>\d{8,})(?:_(?P<last>\d{8,})|\.(?P<part>\d+))?(~\d+)?\.parquet")


class Stretch(msgspec.Struct, frozen=True):
    """Generations `first` to `last` of one folder, or one part of a single generation."""

    first: int
    last: int
    part: int = 0
    """From 1 on where a generation has several files; 0 is all of it."""

    @property
    def file(self) -> str:
        if self.last > self.first:
            return f"{self.first:08}_{self.last:08}.parquet"
        return f"{self.first:08}.{self.part}.parquet" if self.part else f"{self.first:08}.parquet"

    @property
    def is_joined(self) -> bool:
        return self.last > self.first

    def covers(self, other: Stretch) -> bool:
        """Whether `other` was joined into this."""
        inside = self.first <= other.first <= other.last <= self.last
        return self.is_joined and inside and (self.first, self.last) != (other.first, other.last)


def stretch_of(file: str) -> Stretch | None:
    """What a segment's name says; None for a file that is not named like one."""
    found = NAME.fullmatch(PurePosixPath(file).name)
    if found is None:
        return None
    first = int(found["first"])
    return Stretch(first, int(found["last"] or first), int(found["part"] or 0))


def covered(files: Collection[str]) -> frozenset[str]:
    """The files whose rows are in another one of them too."""
    folders: dict[str, list[tuple[str, Stretch]]] = {}
    for file in files:
        if stretch := stretch_of(file):
            folders.setdefault(str(PurePosixPath(file).parent), []).append((file, stretch))
    return frozenset(file for inside in folders.values() for file in _covered(inside))


def _covered(inside: list[tuple[str, Stretch]]) -> Iterable[str]:
    joined = [stretch for _, stretch in inside if stretch.is_joined]
    for file, stretch in inside:
        if any(each.covers(stretch) for each in joined):
            yield file
