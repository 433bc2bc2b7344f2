"""Which instance of a service speaks in a frame, by the habits of whoever made it."""

from __future__ import annotations

from collections.abc import Mapping

from qmon_agent.domain.routing import speaker_of
from qmon_sdk.protocol.frames import Frame, Resource

INSTANCE, POD = "service.instance.id", "k8s.pod.name"

_AGENT = "agent"
_OURS = frozenset({_AGENT, "qmon.python", "statsd"})


def is_foreign(frame: Frame) -> bool:
    """Whether it speaks by the habits of OpenTelemetry or Prometheus, and not by ours.

    What was folded for a whole service says nothing of whose it was.
    """
    return _is_foreign(frame.resource)


def _is_foreign(who: Resource) -> bool:
    return who.sdk not in _OURS if who.sdk else bool(who.attributes)


def called(frame: Frame) -> Mapping[str, str]:
    """Names of an instance in OpenTelemetry's words, where its sender has said some.

    Processes of ours have a stable id of their own, and may share what a platform calls them.
    """
    return frame.resource.attributes if is_foreign(frame) else {}


def instance_of(who: Resource, *, nobody: str = "") -> str:
    """What Prometheus calls the instance: as somebody has named it, or host and process.

    `nobody`: of who says nothing at all of where it is.
    """
    named = who.attributes if _is_foreign(who) else {}
    if named.get(INSTANCE):
        return named[INSTANCE]
    place = named.get(POD) or who.host
    return f"{place}:{who.pid}" if place and who.pid else place or nobody


def replica_of(frame: Frame) -> str:
    """Whose word it is to a rule: an agent speaks for its host, whichever process it is."""
    who = frame.resource
    if who.sdk == _AGENT and who.host:
        return who.host
    return instance_of(who, nobody=speaker_of(frame).hex())
