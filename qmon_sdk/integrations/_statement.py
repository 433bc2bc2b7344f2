"""What kind of statement a text is, and which table it is about, where that is cheap to tell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from re import Match, Pattern

_NAME = r'(?:"[^"]+"|`[^`]+`|\[[^\]]+\]|[^\W\d][\w$]*)'
_TOKENS = rf"""
(?P<open>\() | (?P<close>\)) | (?P<comma>,)
| (?P<place>\b(?:FROM|JOIN|INTO|UPDATE|TABLE|TRUNCATE|ONLY|EXISTS|COPY|MERGE|REPLACE)\b)
| (?P<end>\b(?:WHERE|SET|GROUP|ORDER|LIMIT|HAVING|UNION|RETURNING|VALUES|ON|USING)\b)
| (?P<verb>\b(?:SELECT|INSERT|DELETE)\b)
| (?P<name>{_NAME}(?:\.{_NAME})*+)(?P<call>\s*\()?
| (?P<other>\S)
"""
_VERBS = "SELECT|INSERT|UPDATE|DELETE|MERGE"
_KINDS = "TABLE|INDEX|VIEW|SCHEMA|DATABASE|SEQUENCE|FUNCTION|PROCEDURE|TRIGGER|TYPE|ROLE|EXTENSION"
_KIND = rf"\s*\w+(?:\s+(?!(?:{_KINDS})\b)\w+){{0,3}}\s+({_KINDS})\b"
_FILLERS = frozenset({"IF", "NOT", "LATERAL", "OR", "IGNORE", "TEMP", "TEMPORARY"})

DEFINING = frozenset({"CREATE", "DROP", "ALTER"})
CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "COPY", "TRUNCATE"})
"""Their table is the first one they name, whatever else they read."""

_patterns: dict[str, Pattern[str]] = {}


def summary(text: str) -> tuple[str, str]:
    """Name the operation and, if there is one, the table; from text that is sanitized."""
    first, text = _first_word(text)
    kind = _pattern("kind", _KIND).match(text) if first in DEFINING else None
    operation = f"{first} {kind[1].upper()}" if kind else first
    return operation, _table(text, operation)


def _first_word(text: str) -> tuple[str, str]:
    """Find the word that says what is done, and where the statement proper begins."""
    match = _pattern("word", r"[(\s]*([A-Za-z]+)").match(text)
    first = match[1].upper() if match else ""
    if first == "WITH":
        for start, verb in _verbs_outside(text):
            return verb, text if verb == "SELECT" else text[start:]
    return first, text


def _verbs_outside(text: str) -> Iterator[tuple[int, str]]:
    """Find the verbs that stand outside of all parentheses."""
    depth = 0
    for match in _pattern("outside", rf"[()]|\b(?:{_VERBS})\b").finditer(text):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0 and match[0] != ")":
            yield match.start(), match[0].upper()


def _table(text: str, operation: str) -> str:
    first, _, kind = operation.partition(" ")
    if first in CHANGING:
        return next(_tables(text), "")
    if first == "SELECT" or (first in DEFINING and kind == "TABLE"):
        found = set(_tables(text))
        return found.pop() if len(found) == 1 else ""
    return ""


def _tables(text: str) -> Iterator[str]:
    """Read the names that stand where those of tables stand."""
    is_place = in_list = False
    for match in _pattern("tokens", _TOKENS).finditer(text):
        kind = match.lastgroup or ""
        if is_place and kind in {"name", "call"} and match["name"].upper() not in _FILLERS:
            is_place = False
            if kind == "name" or not in_list:  # else a function that makes rows
                yield _plain(match["name"])
        else:
            is_place, in_list = _next(match, kind, (is_place, in_list))


def _next(match: Match[str], kind: str, state: tuple[bool, bool]) -> tuple[bool, bool]:
    """Say whether the next name is a table's, and whether a comma leads to another one."""
    if kind == "place":
        return True, match[0].upper() == "FROM"
    if kind == "comma":
        return state[1], state[1]
    if kind in {"open", "call", "end", "verb"}:
        return False, False
    return state


def _plain(name: str) -> str:
    """Write a name without its quotes."""
    return "".join(mark for mark in name if mark not in '"`[]')


def _pattern(name: str, source: str) -> Pattern[str]:
    pattern = _patterns.get(name)
    if pattern is None:
        import re  # imported by the first statement

        pattern = _patterns[name] = re.compile(source, re.VERBOSE | re.IGNORECASE)
    return pattern
