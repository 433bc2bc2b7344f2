"""Probes: one way to ask whether something is up per file. The protocol and the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from qmon_agent.domain.plugins import Registry

Outcome = Literal["up", "down", "unknown"]


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """Something a check measured besides how long it took."""

    metric: str
    value: float
    unit: str = "1"
    attributes: Mapping[str, str] = {}


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found: with a `problem` it is down; `type` is that problem's short name."""

    problem: str = ""
    type: str = ""
    numbers: tuple[Number, ...] = ()


class UnknownError(Exception):
    """It cannot be told from here: a right, a program or a package of ours is missing."""


class Probe(Protocol):
    """Something to ask, whose fields are its options.

    Called from a thread that may block, never twice at once. What it raises of the network's kind
    (refused, reset, timed out, a certificate that is not trusted) means down; UnknownError, what
    this machine is short of, and anything unforeseen mean that nothing is known.
    """

    @property
    def target(self) -> str:
        """What is asked, for people; without secrets."""
        ...

    def check(self, timeout_s: float) -> Checked:
        """Ask once, and be back within `timeout_s`."""
        ...


PROBES: Registry[Probe] = Registry(__name__, role="Probe")
