"""From a TOML file to Settings, or to a ConfigError that names the path and the nearest key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from qmon_agent.domain.errors import ConfigError, raise_all
from qmon_agent.domain.tables import convert_all
from qmon_agent.settings.options import Settings
from qmon_agent.settings.references import resolve

T = TypeVar("T")


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
        return Settings(), [ConfigError("", problem.strerror or "not readable")]
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
    return convert_all(deepcopy(dict(table)), kind, path)
