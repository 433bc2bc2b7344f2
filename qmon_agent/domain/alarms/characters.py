"""Sets of characters as sorted ranges of code points, and the classes that have names."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]
"""First and last code point, both of them in it."""
Ranges = tuple[Range, ...]

LAST = 0x10FFFF


def joined(ranges: Iterable[Range]) -> Ranges:
    """Sorted, and none touches the next."""
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def all_but(ranges: Iterable[Range]) -> Ranges:
    """Every character that is not in them."""
    rest, start = [], 0
    for low, high in joined(ranges):
        if start < low:
            rest.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        rest.append((start, LAST))
    return tuple(rest)


def of(text: str) -> Ranges:
    """The characters of a text; a pair of letters around `-` is everything between."""
    ranges, i = [], 0
    while i < len(text):
        if text[i + 1 : i + 2] == "-" and i + 2 < len(text):
            ranges.append((ord(text[i]), ord(text[i + 2])))
            i += 3
        else:
            ranges.append((ord(text[i]), ord(text[i])))
            i += 1
    return joined(ranges)


EVERY: Ranges = ((0, LAST),)
ALL_BUT_LINE_ENDS = all_but(of("\n"))
ESCAPED_CLASSES = {
    "d": of("0-9"),
    "D": all_but(of("0-9")),
    "s": of("\t\n\f\r "),
    "S": all_but(of("\t\n\f\r ")),
    "w": of("0-9A-Za-z_"),
    "W": all_but(of("0-9A-Za-z_")),
}
"""As RE2 means them: of ASCII alone."""
NAMED_CLASSES = {
    "alnum": of("0-9A-Za-z"),
    "alpha": of("A-Za-z"),
    "ascii": ((0, 127),),
    "blank": of("\t "),
    "cntrl": ((0, 31), (127, 127)),
    "digit": of("0-9"),
    "graph": ((33, 126),),
    "lower": of("a-z"),
    "print": ((32, 126),),
    "punct": joined([(33, 47), (58, 64), (91, 96), (123, 126)]),
    "space": of("\t\n\v\f\r "),
    "upper": of("A-Z"),
    "word": of("0-9A-Za-z_"),
    "xdigit": of("0-9A-Fa-f"),
}
"""What stands between `[:` and `:]`."""
ESCAPED_CHARACTERS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
