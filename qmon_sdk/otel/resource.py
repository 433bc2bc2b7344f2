"""Who speaks, in OpenTelemetry's words."""

from __future__ import annotations

from types import MappingProxyType

from qmon_sdk.client import current
from qmon_sdk.json_text import members, quoted, texts
from qmon_sdk.rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_NAMES = {
    "service": "service.name",
    "release": "service.version",
    "environment": "deployment.environment.name",
    "host": "host.name",
}


class Resource:
    """What qmon's settings say about this process, at the time of asking: `init` may come later."""

    schema_url = ""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Name → value, as OpenTelemetry's conventions have them."""
        settings = current().settings
        told = {theirs: getattr(settings, ours) for ours, theirs in _NAMES.items()}
        found = {name: value for name, value in told.items() if value}
        sdk = {"telemetry.sdk.language": "python", "telemetry.sdk.name": "qmon"}
        return MappingProxyType({**sdk, **dict(settings.resource), **found})

    def to_json(self, indent: int | None = None) -> str:
        """Write it as OpenTelemetry's SDK does."""
        told = texts({key: label(value) for key, value in self.attributes.items()})
        return "{" + members(("attributes", told), ("schema_url", quoted(self.schema_url))) + "}"


class Scope:
    """Which library makes the spans, numbers or lines."""

    __slots__ = ("attributes", "name", "schema_url", "version")

    def __init__(
        self,
        name: str | None,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name or ""
        self.version = version or ""
        self.schema_url = schema_url or ""
        self.attributes = dict(attributes) if isinstance(attributes, dict) else {}

    def labels(self) -> dict[str, str]:
        """Say so as attributes of a signal."""
        told = {"otel.scope.name": label(self.name), "otel.scope.version": label(self.version)}
        return {name: value for name, value in told.items() if value}
