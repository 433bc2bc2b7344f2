"""A segment was found to be damaged by a command: a running agent is told, and sets it aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.domain.errors import QmonError
from qmon_agent.settings import Locations

ASIDE = "the agent has set it aside now: questions go on without it, and name it"
WHOLE = "the agent reads it as whole, or has it no more: verify again"
LATER = "no agent runs: the next one sets it aside when it has read it"


def followed_up(locations: Locations, files: Sequence[str]) -> Mapping[str, str]:
    """What becomes of each of these segments, in words."""
    if not files:
        return {}
    try:
        aside = find_control(locations).look(files)
    except UnreachableError:
        return dict.fromkeys(files, LATER)
    except QmonError as problem:
        return dict.fromkeys(files, f"the agent could not look at it: {problem}")
    return {file: ASIDE if file in aside else WHOLE for file in files}
