"""What others call themselves, for who tells of them to the next."""

from __future__ import annotations

from collections.abc import Mapping

from qmon_sdk.protocol.frames import Frame

INSTANCE, POD = "service.instance.id", "k8s.pod.name"

_OURS = frozenset({"", "agent", "qmon.python"})
"""Whose processes have a stable id of their own; several may share what a platform calls them."""


def called(frame: Frame) -> Mapping[str, str]:
    """Names of an instance in OpenTelemetry's words, where its sender has said some."""
    who = frame.resource
    return {} if who.sdk in _OURS else who.attributes
