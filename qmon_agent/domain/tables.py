"""Tables of a configuration as the records they configure, and everything that is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from .errors import ConfigError, nearest_to
from .hints import fields_of, is_record, keys_in, records_in, step_into, values_in, words_of

T = TypeVar("T")
Unknown = tuple[str, str, dict[str, Any], tuple[str, ...]]
"""Where a key is, the key, the table that has it, and the keys that it might have."""
_AT = " - at `$"
_KEY_IN = " - at `key` in `$"
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_NO_SUCH_WORD = re.compile(r"Invalid enum value (.+)")
_NO_TABLE = re.compile("Expected `object`, got")
_NO_TEXT_OR_NUMBER = re.compile(r"Expected `(str \| float|float \| str)`, got")
_NUMBER = re.compile(r"\[\d+\]")
_OUT_OF_RANGE = re.compile(r"Expected .+ (>=?|<=?) \S+$")


def convert_all(
    table: dict[str, Any],
    kind: type[T],
    where: str = "",
    *,
    unknown: str = "unknown key",
    beside: tuple[str, ...] = (),
) -> tuple[T | None, list[ConfigError]]:
    """Convert what is right in a table, and say of all the rest what is wrong; empties the table.

    `None` when too little is left to make one of. `beside` are keys that somebody else has taken
    out of it, of which one may have been meant.
    """
    wrong = _Wrong(table, kind, where)
    wrong.leave_out_unknown(unknown, beside)
    while True:
        try:
            return msgspec.convert(table, kind), wrong.problems
        except msgspec.ValidationError as error:
            if not wrong.leave_out(error):
                return None, wrong.problems
        except ConfigError as error:
            return None, [*wrong.problems, *_placed(error, where)]


def _placed(error: ConfigError, where: str) -> Iterator[ConfigError]:
    """What a record finds wrong with itself: it knows only its own table."""
    for one in (error, *error.others):
        inside = one.path.removeprefix(where).lstrip(".")
        path = f"{where}.{inside}".strip(".")
        yield ConfigError(path, getattr(one, "reason", str(one)), getattr(one, "nearest", ()))


class _Wrong:
    """Leaves out of a table what is wrong, so that what comes after it is looked at as well."""

    def __init__(self, table: dict[str, Any], kind: Any, where: str) -> None:
        self.problems: list[ConfigError] = []
        self._table = table
        self._kind = kind
        self._where = where
        self._gone: set[str] = set()
        self._shifts: dict[str, int] = {}  # items left out of a list, by its path

    def leave_out_unknown(self, reason: str, beside: tuple[str, ...]) -> None:
        for path, key, holder, fields in [*_unknown_keys(self._table, self._kind, "")]:
            known = (*beside, *fields) if holder is self._table else fields
            near = nearest_to(key, known)
            told = reason if near or not known else f"{reason}; there are {', '.join(known)}"
            self.problems.append(ConfigError(f"{self._where}{path}".lstrip("."), told, near))
            del holder[key]
            # Whoever misspells what is needed is told so once.
            self._gone.update(f"{path.removesuffix(f'.{key}')}.{each}" for each in near)

    def leave_out(self, error: msgspec.ValidationError) -> bool:
        message, is_key, at = str(error).partition(_KEY_IN)
        if is_key:
            return self._leave_out_key(at.rstrip("`"))
        message, _, at = str(error).partition(_AT)
        holder, key, path, hint = self._found(at.rstrip("`"))
        missing = _MISSING.fullmatch(message)
        if missing is None or f"{path}.{missing[1]}" not in self._gone:
            value = holder[key] if holder is not None else None
            at = f"{self._where}{path}.{missing[1] if missing else ''}".strip(".")
            reason, near = _explained(message, hint, value, where=at)
            self.problems.append(ConfigError(at, reason, near))
        if holder is None:
            return False
        del holder[key]
        if type(key) is int:
            of = path.rpartition("[")[0]
            self._shifts[of] = self._shifts.get(of, 0) + 1
        self._gone.add(path)
        return True

    def _leave_out_key(self, at: str) -> bool:
        """Of a table whose keys are certain words, the first that is none of them."""
        holder, key, path, hint = self._found(at)
        words = words_of(keys_in(hint))
        table = {} if holder is None else holder[key]
        wrong = next((each for each in table if each not in words), None)
        if wrong is None:
            return False
        near = nearest_to(wrong, words)
        reason = f"is none of {', '.join(map(repr, words))}"
        self.problems.append(ConfigError(f"{self._where}{path}.{wrong}".strip("."), reason, near))
        del table[wrong]
        return True

    def _found(self, at: str) -> tuple[Any, Any, str, Any]:
        """What a path leads to, as holder and key, how the path was in the beginning, its type."""
        inside: Any = self._table
        holder, key, path, hint = None, None, "", self._kind
        for said, number, any_key in _STEP.findall(at):
            # Of a table whose keys are names, msgspec does not say which.
            name = _first_wrong(inside, values_in(hint)) if any_key else said
            if any_key and not name:
                break
            holder, key = inside, name or int(number)
            path += f".{name}" if name else f"[{int(number) + self._shifts.get(path, 0)}]"
            inside = holder[key]
            hint = step_into(hint, key)
        return holder, key, path, hint


def _header(path: str) -> str:
    """How a file would begin such a table."""
    name = _NUMBER.sub("", path)
    return f"[[{name}]]" if path.endswith("]") else f"[{name}]"


def _first_wrong(table: dict[str, Any], kind: Any) -> str:
    """The key of the value that is none of its kind; the values are looked at in their order."""
    for key, value in table.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return key
    return ""


def _explained(message: str, hint: Any, value: Any, *, where: str) -> tuple[str, tuple[str, ...]]:
    """A reason that says what would be right, and what may have been meant."""
    if _NO_SUCH_WORD.fullmatch(message) and (words := words_of(hint)):
        return f"{value!r} is none of {', '.join(map(repr, words))}", nearest_to(str(value), words)
    if _MISSING.fullmatch(message):
        return "is missing", ()
    return f"{_plainly(message, where)}, not {value!r}" if _is_said(message) else message, ()


def _is_said(message: str) -> bool:
    """Whether it is told with the value that was given."""
    return any(each.match(message) for each in (_NO_TABLE, _NO_TEXT_OR_NUMBER, _OUT_OF_RANGE))


def _plainly(message: str, where: str) -> str:
    """In the words of whoever writes the file."""
    if _NO_TABLE.match(message):
        return f"has to be a table, as `{_header(where)}`"
    return "has to be a text or a number" if _NO_TEXT_OR_NUMBER.match(message) else message


def _unknown_keys(table: dict[str, Any], kind: Any, path: str) -> Iterator[Unknown]:
    """Walks tables and records side by side: msgspec's own message does not tell what was meant."""
    fields = fields_of(kind)
    for key, value in table.items():
        inside = f"{path}.{key}"
        if key not in fields:
            yield inside, key, table, tuple(fields)
        else:
            yield from _unknown_inside(value, fields[key], inside)


def _unknown_inside(value: Any, hint: Any, path: str) -> Iterator[Unknown]:
    of_names = values_in(hint)
    if of_names is not None and isinstance(value, dict):
        for name, each in value.items():
            yield from _unknown_inside(each, of_names, f"{path}.{name}")
        return
    kinds = [*records_in(hint)]
    if len(kinds) != 1 or not is_record(kinds[0]):
        return
    if isinstance(value, dict):
        yield from _unknown_keys(value, kinds[0], path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, dict):
                yield from _unknown_keys(item, kinds[0], f"{path}[{number}]")
