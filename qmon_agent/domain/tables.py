"""Tables of a configuration as the records they configure, and everything that is wrong in them."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from .errors import ConfigError

T = TypeVar("T")
_AT = " - at `$"
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")
_MISSING = re.compile(r"Object missing required field `(.+)`")


def convert_all(
    table: dict[str, Any], kind: type[T], where: str = ""
) -> tuple[T | None, list[ConfigError]]:
    """Convert what is right in a table, and say of all the rest what is wrong; empties the table.

    `None` when too little is left to make one of.
    """
    wrong = _Wrong(table, where)
    while True:
        try:
            return msgspec.convert(table, kind), wrong.problems
        except msgspec.ValidationError as error:
            if not wrong.leave_out(error):
                return None, wrong.problems


class _Wrong:
    """Leaves out of a table what is wrong, so that what comes after it is looked at as well."""

    def __init__(self, table: dict[str, Any], where: str) -> None:
        self.problems: list[ConfigError] = []
        self._table = table
        self._where = where
        self._gone: set[str] = set()
        self._shifts: dict[str, int] = {}  # items left out of a list, by its path

    def leave_out(self, error: msgspec.ValidationError) -> bool:
        message, _, at = str(error).partition(_AT)
        holder, key, path = self._found(at.rstrip("`"))
        missing = _MISSING.fullmatch(message)
        if missing is None or f"{path}.{missing[1]}" not in self._gone:
            self.problems.append(ConfigError(f"{self._where}{path}".lstrip("."), message))
        if holder is None:
            return False
        del holder[key]
        if type(key) is int:
            of = path.rpartition("[")[0]
            self._shifts[of] = self._shifts.get(of, 0) + 1
        self._gone.add(path)
        return True

    def _found(self, at: str) -> tuple[Any, Any, str]:
        """Find what a path leads to, as holder and key, and how the path was in the beginning."""
        inside: Any = self._table
        holder, key, path = None, None, ""
        for name, number, any_key in _STEP.findall(at):
            if any_key:  # of a table whose keys are names: msgspec does not say which
                break
            holder, key = inside, name or int(number)
            path += f".{name}" if name else f"[{int(number) + self._shifts.get(path, 0)}]"
            inside = holder[key]
        return holder, key, path
