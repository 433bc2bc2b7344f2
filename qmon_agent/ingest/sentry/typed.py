"""Attributes that say their type, as Sentry's logs, metrics and newer spans have them."""

from __future__ import annotations

from typing import Any

from qmon_agent.ingest.loose import labels, mapping


def attributes_of_typed(said: Any) -> dict[str, str]:
    """The values, whatever their type."""
    pairs = {
        key: told["value"] if isinstance(told, dict) and "value" in told else told
        for key, told in mapping(said).items()
    }
    return labels(pairs)
