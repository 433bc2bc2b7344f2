"""From a TOML file to Settings, or to a ConfigError that names the path and the nearest key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.settings.options import Settings
from qmon_agent.settings.references import resolve

T = TypeVar("T")


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in a file; the defaults when there is none."""
    if path is None:
        return Settings()
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise ConfigError(str(path), problem.strerror or "not readable") from None
    return read_settings(content, environ)


def read_settings(content: bytes, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the text of a file."""
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ConfigError("", f"not TOML: {problem}") from None
    return convert_table(resolve(table, "", environ), Settings)


def convert_table(table: Mapping[str, Any], kind: type[T], path: str = "") -> T:
    """A table as the record it configures; a plug-in's section goes through here too."""
    for unknown, known in _unknown_keys(table, kind, path):
        raise ConfigError(unknown, "unknown key", nearest_to(unknown.rpartition(".")[2], known))
    try:
        return msgspec.convert(table, kind, strict=True)
    except msgspec.ValidationError as problem:
        message, _, where = str(problem).partition(" - at `$")
        raise ConfigError(f"{path}{where.rstrip('`')}".lstrip("."), message) from None


def _unknown_keys(
    table: Mapping[str, Any], kind: Any, path: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
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
            yield inside, tuple(fields)
        else:
            yield from _unknown_inside(value, fields[key], inside)


def _unknown_inside(value: Any, hint: Any, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, dict) and _is_record(hint):
        yield from _unknown_keys(value, hint, path)
    elif isinstance(value, list):
        for kind in filter(_is_record, get_args(hint)):
            for n, item in enumerate(value):
                if isinstance(item, dict):
                    yield from _unknown_keys(item, kind, f"{path}[{n}]")


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)
