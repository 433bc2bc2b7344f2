"""Regular expressions with groups, of `label_replace`, as RE2 reads them but in Python's words.

What the two read differently is rewritten where that is simple, and refused where it is not.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ASCII = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
}
_REFUSED = re.compile(r"\\[1-9pPQECX]|\(\?(?:=|!|<=|<!|P=|\(|#|>)|[*+?}]\+")
_TOKENS = re.compile(r"\\z|\\.|\[:(\w+):\]|\(\?<(?=[A-Za-z_])|\[\^?\]?|\]|\$", re.DOTALL)
_GROUP = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})?")


class PatternError(ValueError):
    """A regular expression that cannot be read as RE2 reads it."""


@lru_cache(1024)
def pattern_of(text: str) -> re.Pattern[str]:
    """To be matched in full; raises PatternError."""
    if found := _REFUSED.search(text.replace(r"\\", "")):
        raise PatternError(f"{found[0]!r} in {text!r} is not read alike by RE2 and Python")
    try:
        return re.compile(_rewritten(text), re.ASCII)
    except (re.error, OverflowError, RecursionError) as problem:
        raise PatternError(f"{text!r}: {problem}") from None


def _rewritten(text: str) -> str:
    in_class = False

    def rewrite(found: re.Match[str]) -> str:
        nonlocal in_class
        part = found[0]
        if found[1] is not None:
            if found[1] not in _ASCII:
                raise PatternError(f"no class {part!r}")
            return _ASCII[found[1]]
        if part[0] == "[":
            opened, in_class = in_class, True
            return part.replace("[", r"\[") if opened else part
        if part == "]":
            in_class = False
        if in_class:
            return part
        return {r"\z": r"\Z", "$": r"\Z", "(?<": "(?P<"}.get(part, part)

    return _TOKENS.sub(rewrite, text)


def expanded(template: str, found: re.Match[str]) -> str:
    """A replacement with `$1`, `${1}`, `$name` and `$$`, as Go expands it."""

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if not name:
            return "$" if reference[0] == "$$" else reference[0]
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except (IndexError, re.error):
            return ""

    return _GROUP.sub(group, template)
