"""Who is told of what fires and ends: an alert's own channels, all, or whom the tree says."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from qmon_agent.domain.alarms import handling as hands
from qmon_agent.domain.incidents import ACTIVE, is_worse
from qmon_agent.store.state.ledger import RemarkRecord

from .books import Books
from .changing import unchanged
from .hearing import Hearing
from .papers import NEWCOMER, SILENCE_ENDED, SPLIT, Change, Telling, begins, is_steady_again
from .usual import USUALLY
from .watch import Watch
from .watches import Watches


class Teller:
    """Decides who hears of a change, and has it written up; called by the one that judges."""

    def __init__(
        self, books: Books, hearing: Hearing, *, watches: Watches, channels: Sequence[str]
    ) -> None:
        """`channels`: who is told by alerts that name none, where there is no tree."""
        self.channels = tuple(channels)
        self._books = books
        self._hearing = hearing
        self._watches = watches

    def addressed(self, change: Change) -> Change:
        """A change with who is told of it, where it begins to fire."""
        if any(map(begins, change.transitions)):
            return _told(change, self._to_be_told(change, change.transitions[-1].at))
        if change.after.told and self._is_kept_back(change):
            return _told(change, ())  # when the silence is over, they hear of it as newcomers
        return change

    def note(self, change: Change, *, ends_too: bool = True) -> None:
        """Write up a change, and tell of it whoever is to hear."""
        told = change.after.told
        by_tree = not told and self._hearing.is_by_tree(change.alert)
        told = () if self._is_known(change) else told
        is_merged = self._hearing.episodes.is_merged(change.after.incident)
        if is_merged or self._is_looked_after(change):
            told, by_tree = (), False
        self._books.note(change, Telling(channels=told, ends_too=ends_too, by_tree=by_tree))

    def tell_newcomers(self, now: int, *, reason: str = NEWCOMER) -> None:
        """Who is named for what fires already hears of it as well; `reason`: why only now."""
        for watch in self._watches:
            for instance, cell in list(watch.cells.items()):
                if cell.episode.state in ACTIVE:
                    self._tell_who_is_new(watch, instance, now=now, reason=reason)

    def _to_be_told(self, change: Change, now: int) -> tuple[str, ...]:
        """The channels that hear of what fires; none where the tree tells, or while silenced."""
        if self._hearing.is_by_tree(change.alert):
            return ()
        silenced = self._hearing.is_silenced(change.matched_labels, now)
        if silenced or change.alert.channels:
            return () if silenced else change.alert.channels
        # Nobody asked for what is there by itself: it is told to whom it names.
        return () if change.alert.created_by == USUALLY else self.channels

    def _is_kept_back(self, change: Change) -> bool:
        """Whether it has news, is silenced, and nobody has taken it on."""
        now, incident = change.transitions[-1].at, change.after.incident
        has_news = any(
            is_steady_again(each) or is_worse(each.reason) for each in change.transitions
        )
        return (
            has_news
            and not self._hearing.is_handled(incident, now)
            and self._hearing.is_silenced(change.matched_labels, now)
        )

    def _is_looked_after(self, change: Change) -> bool:
        """Whether that it is steady again is no news, as somebody is on it."""
        if not any(map(is_steady_again, change.transitions)):
            return False
        return self._hearing.is_handled(change.after.incident, change.transitions[-1].at)

    def _is_known(self, change: Change) -> bool:
        """Whether that it got worse is no news, as somebody looks after it whatever comes."""
        if not any(is_worse(each.reason) for each in change.transitions):
            return False
        incident, now = change.after.incident, change.transitions[-1].at
        before = self._books.handling(incident)
        after = hands.severity_changed(before)
        if after != before:
            kind = SPLIT if before.merged_into else "ack_ended"
            said = RemarkRecord(incident=incident, at=now, kind=kind, text="it got worse")
            self._books.remark(after, said)
        return after.is_quiet(now)

    def _tell_who_is_new(self, watch: Watch, instance: str, *, now: int, reason: str) -> None:
        cell = watch.cells[instance]
        if self._hearing.episodes.is_merged(cell.incident):
            return
        change = unchanged(watch, instance, now=now, cell=cell)
        new = tuple(name for name in self._to_be_told(change, now) if name not in cell.told)
        by_tree = self._hearing.is_by_tree(watch.alert) and not cell.told
        if new:
            after = msgspec.structs.replace(cell, told=cell.told + new)
            watch.cells[instance] = after
            self._books.keep((watch.alert.id, instance), after)
            if not cell.told:
                reason = self._why_late(change, reason)
                change = unchanged(watch, instance, now=now, cell=cell, reason=reason)
            # Nobody in the list: they may have heard of it before it was silenced.
            self._books.note(change, Telling(channels=new, renews=not cell.told))
        elif by_tree and not self._hearing.knows(cell.incident):
            self._books.note(change, Telling(channels=(), by_tree=True))

    def _why_late(self, change: Change, reason: str) -> str:
        fired_at, now = change.after.episode.fired_at, change.transitions[-1].at
        muting = self._hearing.muting
        was_silenced = muting.was_silenced(change.matched_labels, since=fired_at, until=now)
        return SILENCE_ENDED if was_silenced else reason


def _told(change: Change, channels: tuple[str, ...]) -> Change:
    return msgspec.structs.replace(
        change, after=msgspec.structs.replace(change.after, told=channels)
    )
