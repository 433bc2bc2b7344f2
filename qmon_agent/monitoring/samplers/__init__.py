"""Samplers: one thing to measure on this machine per file. The protocol and the registry."""

from __future__ import annotations

from typing import Protocol

from qmon_agent.domain.plugins import Registry
from qmon_sdk.protocol.signals import Point


class Sampler(Protocol):
    """Something to measure, whose fields are its options.

    Called about once a second from a worker thread, never twice at once; one with a field `every_s`
    is called that seldom. Counters are points of kind `counter` with the difference since the call
    before; the first call may leave them out, and so may any later one if nothing has changed.
    NotHereError says that this machine has nothing of the kind: it is asked again, but seldom,
    or after its field `look_every_s`.
    Anything else raised is counted, and a sampler that keeps raising is switched off.
    """

    def sample(self, now: int) -> list[Point]:
        """The numbers at `now`, quickly."""
        ...


SAMPLERS: Registry[Sampler] = Registry(__name__, role="Sampler")
