"""Who hears of an incident: silences, inhibition and the routing tree, as the rules see them."""

from __future__ import annotations

from collections.abc import Sequence

from qmon_agent.domain.alarms.groups import Group, Key
from qmon_agent.domain.alarms.handling import Handling
from qmon_agent.domain.alarms.matchers import Labels
from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.notices import Notice
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry

from .dispatching import Dispatcher
from .episodes import Episodes
from .maintenance import NOTE, Windows
from .muting import Muting
from .papers import REMOVED, RENEWING, Change, is_steady_again
from .routing_plan import Plan


class Hearing:
    """What fires and is told of; called by the one that judges, but for `muting`."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        windows = Windows(store.incidents.noted(NOTE))
        self.muting = Muting(store.silences, clock, windows)
        self.handlings = store.handlings.lasting()
        """Who looks after what fires."""
        merged = {name: each.merged_into for name, each in self.handlings.items()}
        merged = {name: survivor for name, survivor in merged.items() if survivor}
        self.episodes = Episodes(merged, store.incidents.still_open(set(merged.values())))
        """What is merged into what."""
        self._dispatcher = Dispatcher(store.groups.all(), is_handled=self.is_handled)

    @property
    def plan(self) -> Plan | None:
        """The routing tree and all that belongs to it, where there is one."""
        return self._dispatcher.plan

    def follow(self, plan: Plan | None, now: int) -> None:
        """Go by this plan from now on."""
        self._dispatcher.follow(plan, now)

    def is_by_tree(self, alert: Alert) -> bool:
        """Whether the tree decides who is told: an alert that names channels does so itself."""
        return self.plan is not None and not alert.channels

    def knows(self, incident: str) -> bool:
        """Whether the tree has it in a group."""
        return self._dispatcher.knows(incident)

    def groups_with(self, incident: str) -> list[tuple[Key, Group]]:
        """The groups the tree has it in."""
        return self._dispatcher.groups_with(incident)

    def is_silenced(self, labels: Labels, now: int) -> bool:
        return self.muting.is_silenced(labels, now)

    def is_handled(self, incident: str, now: int) -> bool:
        """Whether somebody has taken it on, or put it off: what is known is not said again."""
        handling = self.handlings.get(incident)
        return handling is not None and handling.is_quiet(now)

    def handle(self, incident: str, handling: Handling) -> None:
        """This is who looks after it from now on."""
        self.handlings[incident] = handling
        self.episodes.put(incident, handling.merged_into)

    def note(self, change: Change, notices: Sequence[Notice]) -> None:
        """After a change, with what the tree is to tell of it."""
        name = change.after.incident
        if change.after.episode.state in ACTIVE:
            self.muting.begins(name, change.matched_labels, change.transitions[-1].at)
        else:
            self.muting.ends(name)
            self.handlings.pop(name, None)
            # That a merged one is over was said already, or is to be said still.
            if not notices and not self.episodes.is_merged(name):
                self._dispatcher.forget(name)
            self.episodes.end(name)
        renews = any(each.reason in RENEWING for each in change.transitions)
        if renews or (notices and any(map(is_steady_again, change.transitions))):
            self._dispatcher.renew(name)
        if notices and any(each.reason == REMOVED for each in change.transitions):
            self._dispatcher.hasten(name)
        for notice in notices:
            if notice.status == "acknowledged":
                self._dispatcher.acknowledge(notice)
            else:
                self._dispatcher.hear(notice)

    def turn(self, entry: Entry, now: int) -> None:
        """Add to the entry what the tree has to tell now."""
        self._dispatcher.turn(entry, now, self.muting.mutes)
        entry.notes |= self.muting.windows.note()
