"""Attributes that say their type, as Sentry's logs, metrics and newer spans have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmon_agent.ingest.loose import labels, mapping

_SPEAKER = {
    "release": "sentry.release",
    "environment": "sentry.environment",
    "server_name": "server.address",
}


def attributes_of_typed(said: Any) -> dict[str, str]:
    """The values, whatever their type."""
    pairs = {
        key: told["value"] if isinstance(told, dict) and "value" in told else told
        for key, told in mapping(said).items()
    }
    return labels(pairs)


def speaker_of(attributes: dict[str, str]) -> Mapping[str, Any]:
    """Take out what says who speaks, in the words of an event."""
    said: dict[str, Any] = {key: attributes.pop(at, "") for key, at in _SPEAKER.items()}
    sdk = {key: attributes.pop(f"sentry.sdk.{key}", "") for key in ("name", "version")}
    if service := attributes.get("service.name") or attributes.get("service"):
        said["tags"] = {"service": service}
    return {**said, "sdk": sdk} if sdk["name"] else said
