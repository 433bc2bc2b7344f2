"""Values of a series in a short notation, as tests of Prometheus rules have it: `0+10x5 _ 7`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .errors import ConfigError

MOST = 100_000
"""A series of a test has at most so many samples."""
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI]nf|[nN]a[nN]"
_VALUE = re.compile(
    rf"(?P<first>[-+]?(?:{_NUMBER}))(?:(?P<step>[-+](?:{_NUMBER}))?x(?P<times>\d+))?"
)
_GAP = re.compile(r"_(?:x(?P<times>\d+))?")
_ENDS = "stale"


def parse_values(text: str) -> tuple[float | None, ...]:
    """Each sample, `None` where none comes; raises ConfigError that names the word at fault.

    `1+2x3` is 1 3 5 7, `4x2` is 4 4 4, `_x3` three samples that do not come. `stale` is one, too:
    what says that a series has ended is left out when it comes in.
    """
    values: list[float | None] = []
    for word in text.split():
        values += _samples(word)
        if len(values) > MOST:
            raise ConfigError("", f"{word!r}: there are more than {MOST} samples")
    if not values:
        raise ConfigError("", "there is no sample; write for example 0+10x5")
    return tuple(values)


def _samples(word: str) -> Iterator[float | None]:
    if word == _ENDS:
        yield None
    elif gap := _GAP.fullmatch(word):
        yield from [None] * _bounded(gap["times"] or "1")
    elif found := _VALUE.fullmatch(word):
        first, step = float(found["first"]), float(found["step"] or 0)
        # As in Prometheus: the first, and so many more.
        for number in range(_bounded(found["times"] or "0") + 1):
            yield first + number * step
    else:
        raise ConfigError("", f"{word!r} is no sample; write for example 5, 0+10x5, _x3 or stale")


def _bounded(times: str) -> int:
    return min(int(times), MOST + 1) if len(times) < len(str(MOST)) + 2 else MOST + 1
