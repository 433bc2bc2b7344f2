"""What a watch says of the health of its rule."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.rule_health import RuleFacts

from .watch import Watch

MOST_PROBLEM = 500
"""Characters of a problem that are remembered."""


class Failed(msgspec.Struct, frozen=True):
    """When a rule could not be worked out last, and why."""

    at: int = 0
    problem: str = ""


UNFAILED = Failed()


def facts_of(
    watch: Watch, *, last_fired: int, is_matched: bool, failed: Failed = UNFAILED
) -> RuleFacts:
    """All that can be told of it now."""
    firing = [
        cell.episode.fired_at for cell in watch.cells.values() if cell.episode.state in ACTIVE
    ]
    return RuleFacts(
        alert=watch.alert.name,
        created_at=watch.alert.created_at,
        is_matched=is_matched,
        last_fired=max([last_fired, *firing]),
        firing=len(firing),
        firing_since=min(firing, default=0),
        failed_at=failed.at,
        failure=failed.problem,
    )
