"""Whether a release is newer than those that were there before.

Versions are compared as such, whether written as PEP 440 or as SemVer has them, with or without a
package in front (`shop@1.4.2`) or a `v`. Of anything else, as the ids of commits, nobody can tell
which is older: another one than those that were seen counts as newer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Version = tuple[tuple[int, ...], int, int]
"""Numbers, stage, number of the stage."""
_VERSION = re.compile(
    r"v?(?P<numbers>\d+(?:\.\d+)*)(?:[-._]?(?P<stage>[a-z]+)[-._]?(?P<nth>\d*))?(?:\+.*)?\Z"
)
_STAGES = {
    "dev": -4,
    "a": -3,
    "alpha": -3,
    "b": -2,
    "beta": -2,
    "c": -1,
    "rc": -1,
    "pre": -1,
    "preview": -1,
    "": 0,
    "post": 1,
    "rev": 1,
    "r": 1,
}
_MOST = 100


def is_newer(release: str, seen: Sequence[str]) -> bool:
    """Whether it is later than every one that was seen; nothing is later than itself."""
    if release in seen:
        return False
    version = version_of(release)
    if version is None:
        return True
    return all(version > other for other in map(version_of, seen) if other is not None)


def version_of(release: str) -> Version | None:
    """What releases are ordered by; nothing for what is no version."""
    name = release[-_MOST:].rpartition("@")[2].strip().lower()
    found = _VERSION.match(name)
    if found is None:
        return None
    stage = found["stage"] or ""
    if stage not in _STAGES or (stage and "." not in found["numbers"]):
        return None  # `12a345` is rather a commit than an alpha
    numbers = [int(each) for each in found["numbers"].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers), _STAGES[stage], int(found["nth"] or 0)
