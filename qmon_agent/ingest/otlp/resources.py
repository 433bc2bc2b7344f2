"""Who speaks: what OpenTelemetry says of a process, as our resource."""

from __future__ import annotations

from typing import Any

from qmon_sdk.protocol.frames import Resource

_UNKNOWN = "unknown_service"
_ENVIRONMENT = ("deployment.environment.name", "deployment.environment")
_MOST_PID = 1 << 31


def resource_of(told: dict[str, str]) -> Resource:
    """What has a field of its own becomes that; everything else is kept as attributes."""
    rest = dict(told)
    environments = [rest.pop(name, "") for name in _ENVIRONMENT]
    pid = rest.pop("process.pid", "")
    return Resource(
        service=rest.pop("service.name", "") or _UNKNOWN,
        release=rest.pop("service.version", ""),
        environment=environments[0] or environments[1],
        host=rest.pop("host.name", ""),
        pid=int(pid) if pid.isascii() and pid.isdigit() and int(pid) < _MOST_PID else 0,
        sdk=_sdk_of(rest),
        attributes=rest,
    )


def scope_labels(scope: Any, labels: dict[str, str]) -> dict[str, str]:
    """Which library speaks, as attributes of each of its signals; its own come along."""
    name, version = scope.name, scope.version
    if name:
        labels["otel.scope.name"] = name
    if version:
        labels["otel.scope.version"] = version
    return labels


def _sdk_of(told: dict[str, str]) -> str:
    if distribution := told.pop("telemetry.distro.name", ""):
        return distribution
    parts = (told.pop("telemetry.sdk.name", ""), told.pop("telemetry.sdk.language", ""))
    return ".".join(filter(None, parts))
