"""What the store answers to rules that ask it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .observed import Observed, Reply
from .rules import FAILED, GONE, Fact, Statement
from .watch import Watch


class Replies:
    """Which alerts got none the last time they asked, and why."""

    def __init__(self) -> None:
        self._failed: dict[str, str] = {}

    def note(self, alert: str, reply: Reply) -> None:
        """Remember why there is none, or that there is one."""
        if reply.failed:
            self._failed[alert] = reply.failed
        else:
            self._failed.pop(alert, None)

    def problems(self, watches: Iterable[Watch]) -> dict[str, str]:
        """Of alerts that still ask."""
        asking = {watch.alert.name for watch in watches if watch.about.statement}
        return {name: why for name, why in self._failed.items() if name in asking}


def statements_of(watches: Iterable[Watch]) -> list[tuple[int, Statement]]:
    """What alerts want to ask, by their numbers."""
    asking = [(watch.alert.id, watch.about.statement) for watch in watches]
    return [(number, statement) for number, statement in asking if statement]


def facts_in(watch: Watch, reply: Reply, now: int) -> Iterator[Fact]:
    """What it says of each instance: of each row, and of those that have none any more."""
    named = set()
    if not reply.failed:
        for fact in watch.rule.notice(Observed(service="", time=now, replies=(reply,))):
            named.add(fact.instance)
            yield fact
    word = FAILED if reply.failed else GONE
    for instance, cell in list(watch.cells.items()):
        if instance not in named:
            yield Fact(instance=instance, labels=cell.labels, event_time=now, detail={word: True})
