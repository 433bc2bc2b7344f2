"""Who speaks in a frame that somebody else's SDK made, for who tells of it to the next."""

from __future__ import annotations

from collections.abc import Mapping

from qmon_sdk.protocol.frames import Frame

INSTANCE, POD = "service.instance.id", "k8s.pod.name"

_OURS = frozenset({"agent", "qmon.python", "statsd"})


def is_foreign(frame: Frame) -> bool:
    """Whether it speaks by the habits of OpenTelemetry or Prometheus, and not by ours.

    What was folded for a whole service says nothing of whose it was.
    """
    who = frame.resource
    return who.sdk not in _OURS if who.sdk else bool(who.attributes)


def called(frame: Frame) -> Mapping[str, str]:
    """Names of an instance in OpenTelemetry's words, where its sender has said some.

    Processes of ours have a stable id of their own, and may share what a platform calls them.
    """
    return frame.resource.attributes if is_foreign(frame) else {}
