"""Log lines, grouped by their template."""

from __future__ import annotations

from qmon_sdk.client import guarded
from qmon_sdk.logs import log
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def trace(template: str, *, attributes: Mapping[str, Any] | None = None, **values: Any) -> None:
    """Write what only a very close look needs."""
    _write("trace", template, {**(attributes or {}), **values})


def debug(template: str, *, attributes: Mapping[str, Any] | None = None, **values: Any) -> None:
    """Write what helps to find a fault."""
    _write("debug", template, {**(attributes or {}), **values})


def info(template: str, *, attributes: Mapping[str, Any] | None = None, **values: Any) -> None:
    """Write what went as it should."""
    _write("info", template, {**(attributes or {}), **values})


def warning(template: str, *, attributes: Mapping[str, Any] | None = None, **values: Any) -> None:
    """Write what may become a trouble."""
    _write("warn", template, {**(attributes or {}), **values})


def error(template: str, *, attributes: Mapping[str, Any] | None = None, **values: Any) -> None:
    """Write what failed."""
    _write("error", template, {**(attributes or {}), **values})


def fatal(template: str, *, attributes: Mapping[str, Any] | None = None, **values: Any) -> None:
    """Write what ends the program."""
    _write("fatal", template, {**(attributes or {}), **values})


@guarded
def _write(level: str, template: str, values: Mapping[str, Any]) -> None:
    getattr(log, level)(template, **{label(key): value for key, value in values.items()})
