"""Which incidents are one episode for people: those that are merged, and what they are merged into.

An episode has the name of one of its incidents, which outlasts the others: it is over when all are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from qmon_agent.domain.incidents import FOREVER_NS, Policy


class Episodes:
    """Looked up at each judgement, so kept in memory; what is on disk stands with the handlings."""

    def __init__(self, merged: Mapping[str, str], is_open: Iterable[str]) -> None:
        """`merged`: incident → what it is merged into; `is_open`: those that are not over."""
        self._survivors: dict[str, str] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._freed: set[str] = set()
        alive = set(is_open)
        for incident, survivor in merged.items():
            self.put(incident, survivor)
        self._orphans = {name for name, survivor in merged.items() if survivor not in alive}

    def put(self, incident: str, survivor: str) -> None:
        """It is merged into that one from now on, or with an empty name into none."""
        if self._survivors.get(incident, "") == survivor:
            return
        self._leave(incident)
        if survivor:
            self._survivors[incident] = survivor
            self._members.setdefault(survivor, {})[incident] = None

    def end(self, incident: str) -> None:
        """It is over; what was merged into it is without it now."""
        self._leave(incident)
        self._freed.discard(incident)
        self._orphans.update(self._members.get(incident, ()))

    def survivor_of(self, incident: str) -> str:
        """What it is merged into, or itself."""
        return self._survivors.get(incident, incident)

    def is_merged(self, incident: str) -> bool:
        return incident in self._survivors

    def members_of(self, incident: str) -> list[str]:
        """What is merged into it and is not over."""
        return [*self._members.get(incident, ())]

    def policy(self, policy: Policy, incident: str) -> Policy:
        """By which it is judged: what others are merged into is not over before they are."""
        if incident not in self._members:
            return policy
        unknown = "keep" if policy.on_unknown == "resolve" else policy.on_unknown
        return replace(policy, keep_firing_ns=FOREVER_NS, on_unknown=unknown)

    def take_freed(self) -> set[str]:
        """Those that wait for nobody any more, each once: to be judged again."""
        freed, self._freed = self._freed, set()
        return freed

    def take_orphans(self) -> set[str]:
        """Those whose survivor has ended before them, each once: to stand for themselves."""
        orphans, self._orphans = self._orphans, set()
        return orphans & self._survivors.keys()

    def _leave(self, incident: str) -> None:
        survivor = self._survivors.pop(incident, "")
        members = self._members.get(survivor)
        if members is None:
            return
        del members[incident]
        if not members:
            del self._members[survivor]
            self._freed.add(survivor)
