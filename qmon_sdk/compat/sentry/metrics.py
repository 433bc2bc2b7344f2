"""Numbers: Sentry's metrics, added up by qmon."""

from __future__ import annotations

from qmon_sdk import metrics as native

from .bridge import option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def count(  # noqa: PLR0917 - Sentry's signature
    name: str, value: float, unit: str | None = None, attributes: Mapping[str, Any] | None = None
) -> None:
    """Add to a counter."""
    if option("enable_metrics", default=True):
        native.count(name, value, unit=unit, attributes=attributes)


def gauge(  # noqa: PLR0917 - Sentry's signature
    name: str, value: float, unit: str | None = None, attributes: Mapping[str, Any] | None = None
) -> None:
    """Set a gauge."""
    if option("enable_metrics", default=True):
        native.gauge(name, value, unit=unit, attributes=attributes)


def distribution(  # noqa: PLR0917 - Sentry's signature
    name: str, value: float, unit: str | None = None, attributes: Mapping[str, Any] | None = None
) -> None:
    """Add one value to a distribution."""
    if option("enable_metrics", default=True):
        native.distribution(name, value, unit=unit, attributes=attributes)


def incr(  # noqa: PLR0917 - Sentry's signature
    key: str,
    value: float = 1,
    unit: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> None:
    """Add to a counter, as it was written before."""
    count(key, value, unit, tags)
