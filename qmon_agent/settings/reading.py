"""From a TOML file to Settings, or to a ConfigError that names the path and the nearest key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from qmon_agent.domain.errors import ConfigError, nearest_to, raise_all
from qmon_agent.domain.tables import convert_all
from qmon_agent.settings.options import Settings
from qmon_agent.settings.references import resolve

T = TypeVar("T")
Unknown = tuple[str, str, dict[str, Any], tuple[str, ...]]
"""Where a key is, the key, the table that has it, and the keys that it might have."""


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in a file; the defaults when there is none."""
    settings, problems = check_settings(path, environ)
    raise_all(problems)
    return settings


def read_settings(content: bytes, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the text of a file."""
    settings, problems = _read(content, environ)
    raise_all(problems)
    return settings


def check_settings(
    path: Path | None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, list[ConfigError]]:
    """What is right in a file, and everything that is wrong with it."""
    if path is None:
        return Settings(), []
    try:
        content = path.read_bytes()
    except OSError as problem:
        return Settings(), [ConfigError(str(path), problem.strerror or "not readable")]
    return _read(content, environ)


def _read(content: bytes, environ: Mapping[str, str]) -> tuple[Settings, list[ConfigError]]:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        return Settings(), [ConfigError("", f"not TOML: {problem}")]
    problems: list[ConfigError] = []
    table = resolve(table, "", environ, problems=problems)
    settings, wrong = _converted(table, Settings)
    return settings or Settings(), [*problems, *wrong]


def convert_table(table: Mapping[str, Any], kind: type[T], path: str = "") -> T:
    """A table as the record it configures; a plug-in's section goes through here too."""
    converted, problems = _converted(table, kind, path)
    raise_all(problems)
    assert converted is not None  # noqa: S101 - or there is a problem
    return converted


def _converted(
    table: Mapping[str, Any], kind: type[T], path: str = ""
) -> tuple[T | None, list[ConfigError]]:
    left = deepcopy(dict(table))
    problems: list[ConfigError] = []
    for inside, key, holder, known in [*_unknown_keys(left, kind, path)]:
        problems.append(ConfigError(inside, "unknown key", nearest_to(key, known)))
        del holder[key]
    converted, wrong = convert_all(left, kind, path)
    return converted, [*problems, *wrong]


def _unknown_keys(table: dict[str, Any], kind: Any, path: str) -> Iterator[Unknown]:
    """Walks tables and records side by side: msgspec's own message does not tell what was meant."""
    hints = get_type_hints(kind)
    fields = {
        field.encode_name: hints[field.name]
        for field in msgspec.structs.fields(kind)
        if not field.name.startswith("_")  # what a plug-in remembers is no setting
    }
    for key, value in table.items():
        inside = f"{path}.{key}" if path else key
        if key not in fields:
            yield inside, key, table, tuple(fields)
        else:
            yield from _unknown_inside(value, fields[key], inside)


def _unknown_inside(value: Any, hint: Any, path: str) -> Iterator[Unknown]:
    if isinstance(value, dict) and _is_record(hint):
        yield from _unknown_keys(value, hint, path)
    elif isinstance(value, dict):
        for kind in filter(_is_record, get_args(hint)):  # one that may be left out
            yield from _unknown_keys(value, kind, path)
    elif isinstance(value, list):
        for kind in filter(_is_record, get_args(hint)):
            for n, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _unknown_keys(item, kind, f"{path}[{n}]")


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)
