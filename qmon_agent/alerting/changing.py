"""What has changed of an instance, or has not, for somebody who is to hear of it all the same."""

from __future__ import annotations

from qmon_agent.domain.incidents import Transition

from .evaluation import Cell, Evaluated
from .papers import NEWCOMER, Change
from .watch import Watch


def changed(watch: Watch, instance: str, *, before: Cell, done: Evaluated) -> Change:
    """What an evaluation has changed."""
    return Change(
        alert=watch.alert,
        system=watch.system,
        metric=watch.metric,
        instance=instance,
        before=before,
        after=done.cell,
        transitions=done.transitions,
    )


def unchanged(
    watch: Watch, instance: str, *, now: int, cell: Cell, reason: str = NEWCOMER
) -> Change:
    """An instance as it stands, as a change that is none."""
    state = cell.episode.state
    still = Transition(before=state, after=state, reason=reason, at=now)
    return changed(
        watch, instance, before=cell, done=Evaluated(cell=cell, transitions=(still,), wake=None)
    )
