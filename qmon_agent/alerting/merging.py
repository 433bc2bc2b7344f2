"""Several incidents as one: merged by somebody, told once, and over when all of them are."""

from __future__ import annotations

from collections.abc import Sequence

from qmon_agent.domain.alarms.handling import UNHANDLED, Handling
from qmon_agent.domain.clock import Clock
from qmon_agent.domain.errors import QueryError
from qmon_agent.store.state.ledger import RemarkRecord

from .affected import Firing
from .books import Books
from .papers import MERGED, SPLIT

MOST_MEMBERS = 1_000
SPLIT_OFF = "split_off"


class Merging:
    """Merges and splits; called with the service's lock held, and written by the caller."""

    def __init__(self, firing: Firing, *, books: Books, clock: Clock) -> None:
        self._firing = firing
        self._books = books
        self._clock = clock
        self._episodes = books.episodes

    def merge(self, into: str, others: Sequence[str], *, by: str) -> None:
        """All of these, or none; raises QueryError for what does not fire, or is the same."""
        survivor = self._episodes.survivor_of(into)
        target = self._firing.need(survivor).watch.alert.name
        merged = [*dict.fromkeys(map(self._episodes.survivor_of, others))]
        if into in others or survivor in others:
            raise QueryError(f"incident {survivor!r} cannot be merged into itself")
        affected = {name: self._firing.need(name) for name in merged if name != survivor}
        count = sum(1 + len(self._episodes.members_of(name)) for name in affected)
        if count + len(self._episodes.members_of(survivor)) > MOST_MEMBERS:
            raise QueryError(f"an episode has {MOST_MEMBERS} incidents at most")
        for name, each in affected.items():
            said = f"merged into {survivor} ({target}){f' by {by}' if by else ''}"
            self._firing.tell(each, reason=MERGED, text=said)
            for member in (name, *self._episodes.members_of(name)):
                self._note(member, Handling(merged_into=survivor), kind=MERGED, by=by)

    def split(self, incident: str, *, by: str, why: str = "") -> None:
        """It stands for itself again, and is told again; raises QueryError for one that is not."""
        affected = self._firing.need(incident)
        if not self._episodes.is_merged(incident):
            members = " ".join(self._episodes.members_of(incident))
            hint = f"; merged into it, and to be split off, are: {members}" if members else ""
            raise QueryError(f"incident {incident!r} is merged into no other{hint}")
        self._note(incident, UNHANDLED, kind=SPLIT, by=by, why=why)
        self._firing.tell(affected, reason=SPLIT)

    def look(self) -> list[tuple[int, str]]:
        """Let go of what has lost its survivor; the answer is what is to be judged again."""
        for orphan in self._episodes.take_orphans():
            if self._firing.find(orphan) is not None:
                self.split(orphan, by="", why="what it was merged into is gone")
        freed = map(self._firing.find, self._episodes.take_freed())
        return [(each.watch.alert.id, each.instance) for each in freed if each is not None]

    def _note(
        self, incident: str, handling: Handling, *, kind: str, by: str, why: str = ""
    ) -> None:
        """In the history of both; `why`: where it was nobody's doing."""
        now = self._clock.now()
        survivor = handling.merged_into or self._episodes.survivor_of(incident)
        of_both = (
            (incident, kind, handling, survivor),
            (survivor, "merge" if kind == MERGED else SPLIT_OFF, None, incident),
        )
        for name, said, after, other in of_both:
            remark = RemarkRecord(
                incident=name,
                at=now,
                kind=said,
                author=by,
                text=f"{other}: {why}" if why else other,
            )
            self._books.remark(self._books.handling(name) if after is None else after, remark)
