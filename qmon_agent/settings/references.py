"""Secrets by reference: `${ENV}` and `file:PATH` inside any text of the configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qmon_agent.domain.errors import ConfigError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE = "file:"


def resolve(
    value: Any, path: str, environ: Mapping[str, str] = os.environ, *, problems: list[ConfigError]
) -> Any:
    """The same table with every reference replaced; one to nothing stays, and is a problem."""
    if isinstance(value, dict):
        return {
            key: resolve(inner, f"{path}.{key}" if path else key, environ, problems=problems)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            resolve(inner, f"{path}[{n}]", environ, problems=problems)
            for n, inner in enumerate(value)
        ]
    if not isinstance(value, str):
        return value
    try:
        return _resolve_text(value, path, environ)
    except ConfigError as problem:
        problems.append(problem)
        return value


def _resolve_text(text: str, path: str, environ: Mapping[str, str]) -> str:
    if text.startswith(_FILE):
        return _file_text(text.removeprefix(_FILE), path)

    def variable(match: re.Match[str]) -> str:
        try:
            return environ[match[1]]
        except KeyError:
            raise ConfigError(path, f"environment variable {match[1]} is not set") from None

    return _VARIABLE.sub(variable, text)


def _file_text(name: str, path: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "not readable as text"
        raise ConfigError(path, f"file {name}: {reason}") from None
