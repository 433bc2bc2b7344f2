"""What has not changed, for somebody who is to hear of it all the same."""

from __future__ import annotations

from qmon_agent.domain.incidents import Transition

from .evaluation import Cell
from .papers import NEWCOMER, Change
from .watch import Watch


def unchanged(watch: Watch, instance: str, *, now: int, cell: Cell) -> Change:
    """An instance as it stands, as a change that is none."""
    state = cell.episode.state
    return Change(
        alert=watch.alert,
        system=watch.system,
        metric=watch.metric,
        instance=instance,
        before=cell,
        after=cell,
        transitions=(Transition(before=state, after=state, reason=NEWCOMER, at=now),),
    )
