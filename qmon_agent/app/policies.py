"""Which processors the arrivals that wait are for: kept beside them, so that a restart knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent import durable

_PATIENCE_S = 10.0


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The section as it was for the records behind one."""

    behind: int = 0
    processors: tuple[dict[str, Any], ...] = ()


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first; and the name under which this agent's own signals are known."""

    identity: bytes = b""
    waiting: tuple[Policy, ...] = ()

    def from_here(self, record_id: int, committed: int) -> Policies:
        """Without those that are for nothing behind `record_id`, and none ahead of all."""
        bounded = [
            msgspec.structs.replace(each, behind=min(each.behind, committed))
            for each in self.waiting
        ]
        while len(bounded) > 1 and bounded[1].behind <= record_id:
            del bounded[0]
        return msgspec.structs.replace(self, waiting=tuple(bounded))

    def then(self, processors: tuple[dict[str, Any], ...], *, behind: int) -> Policies:
        """These for what comes behind a record."""
        if self.waiting and self.waiting[-1].processors == processors:
            return self
        policy = Policy(behind=behind, processors=processors)
        return msgspec.structs.replace(self, waiting=(*self.waiting, policy))


def load_policies(path: Path) -> Policies:
    """As they were written; with a new identity where there are none that can be read."""
    try:
        content = durable.read(path, patience_s=_PATIENCE_S)
        policies = msgspec.json.decode(content, type=Policies)
    except (OSError, msgspec.MsgspecError):
        policies = Policies()
    if policies.identity:
        return policies
    return msgspec.structs.replace(policies, identity=os.urandom(16))


def save_policies(policies: Policies, path: Path) -> None:
    durable.replace(path, msgspec.json.encode(policies))
