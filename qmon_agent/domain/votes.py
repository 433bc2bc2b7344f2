"""Several verdicts for one: breached when N of the last M say so, and some may be missing."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from .errors import ConfigError

Verdict = Literal["breach", "clear", "unknown"]

MOST = 1_000
"""The most verdicts that are remembered for one vote."""
_MARKS: dict[Verdict, str] = {"breach": "!", "clear": ".", "unknown": "?"}
_OF = re.compile(r"(\d+)\s*(?:of|/)\s*(\d+)\Z")


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """How many breaches it takes, and how many verdicts may be missing before nobody knows."""

    need: int = 1
    of: int = 1
    spare: int = 0
    within: int = 1


SINGLE = Ballot()
"""The newest verdict is the verdict."""


def cast(marks: str, verdict: Verdict, ballot: Ballot) -> str:
    """The marks with one more, as many as the ballot ever looks at."""
    return (marks + _MARKS[verdict])[-(ballot.of + ballot.within) :]


def tally(marks: str, ballot: Ballot) -> Verdict:
    """What the marks say together; a missing one is no vote, neither for nor against."""
    if marks[-ballot.within :].count("?") > ballot.spare:
        return "unknown"
    known = marks.replace("?", "")[-ballot.of :]
    if not known:
        return "unknown"
    return "breach" if known.count("!") >= ballot.need else "clear"


def parse_share(text: str, *, least: int, where: str) -> tuple[int, int]:
    """Read `3 of 5`; raises ConfigError for what makes no sense."""
    found = _OF.match(text.strip())
    if found is None:
        raise ConfigError(where, f"{text!r} is not like `3 of 5`")
    some, all_ = int(found[1]), int(found[2])
    if not least <= some <= all_ <= MOST:
        raise ConfigError(
            where, f"{text!r}: wanted {least} or more of that many, of {MOST} at most"
        )
    return some, all_
