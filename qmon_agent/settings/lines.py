"""Where in a file each value is said: TOML's own reader does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

# A value that goes on for longer is looked for no further.
_LONGEST = 500


def lines_of(text: str) -> dict[str, int]:
    """The line at which each value begins, by its path; for a text that is right.

    A statement is as many lines as it takes for the reader to understand them.
    """
    found: dict[str, int] = {}
    table: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    for number, statement in _statements(text):
        said = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _entered(said, counts)
        else:
            for path, _ in flat(said):
                found.setdefault(".".join((*table, path)), number)
    return found


def flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value and its path; an empty table has none."""
    for key, value in table.items():
        inside = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from flat(value, inside)
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            for number, item in enumerate(value):
                yield from flat(item, f"{inside}[{number}]")
        elif value != {}:
            yield inside, value


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Headers and assignments, with the line at which they begin."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first = lines[number].strip()
        taken = _taken(lines, number) if first and not first.startswith("#") else 1
        if taken and first and not first.startswith("#"):
            yield number + 1, "\n".join(lines[number : number + taken])
        number += taken or 1


def _taken(lines: list[str], number: int) -> int:
    """How many lines the statement has that begins there; 0 for one that nobody understands."""
    for taken in range(1, min(_LONGEST, len(lines) - number) + 1):
        try:
            tomllib.loads("\n".join(lines[number : number + taken]))
        except tomllib.TOMLDecodeError:
            continue
        return taken
    return 0


def _entered(said: Mapping[str, Any], counts: dict[str, int]) -> tuple[str, ...]:
    """The path that a header leads to: the last item of every list on the way."""
    path: list[str] = []
    inside: Any = said
    while isinstance(inside, Mapping) and inside:
        ((key, inside),) = inside.items()
        path.append(key)
        name = ".".join(path)
        if isinstance(inside, list):
            counts[name] = counts.get(name, -1) + 1
            inside = inside[0]
        if name in counts:
            path[-1] = f"{key}[{counts[name]}]"
    return tuple(path)
