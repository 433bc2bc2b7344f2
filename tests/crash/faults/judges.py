"""The judge: waits for what was promised, for so long and no longer, and names what is missing."""

from __future__ import annotations

import time

ENDED_S = 60.0  # until what is being sent is acknowledged
LOST_S = 60.0  # until what is acknowledged must be there
SETTLED_S = 10.0  # until what nobody promised may be there
SHOWN = 5


def all_ended(crowd, seconds=ENDED_S):
    """Everybody comes to an end, within one time for all; else it is told who does not."""
    deadline = time.monotonic() + seconds
    for each in crowd:
        each.stopping.set()
    for each in crowd:
        each.join(max(0.0, deadline - time.monotonic()))
    late = [each for each in crowd if each.is_alive()]
    assert not late, "; ".join(
        f"{each.name_of_source}: {len(each.sent) - len(each.acknowledged)} of {len(each.sent)}"
        f" not acknowledged within {seconds:.0f} s, the last answer was {each.trouble!r}"
        for each in late
    )


def verdicts_of(crowd, fault, *, lost_s=LOST_S, settled_s=SETTLED_S):
    """What each was promised and has; as it stands when everything is there or time is over."""
    began, verdicts, waiting = time.monotonic(), {}, [*crowd]
    while waiting:
        passed = time.monotonic() - began
        for each in waiting:
            verdicts[each.name_of_source] = each.verdict(fault)
        waiting = [
            each
            for each in waiting
            if not (one := verdicts[each.name_of_source]).is_complete
            and passed < (lost_s if one.lost else settled_s)
        ]
        if waiting:
            time.sleep(0.3)
    return verdicts


def complaints(verdicts):
    """Who misses how many of what, a line each."""
    return "\n".join(
        f"{name}: {_misses(one)}" for name, one in sorted(verdicts.items()) if not one.is_well
    )


def _misses(one):
    if not one.sent:
        return "nothing was sent"
    told = [
        f"{len(items)} of {one.acknowledged or one.sent} {one.what} {how} ({_some(items)})"
        for how, items in (("lost", one.lost), ("doubled", one.doubled))
        if items
    ]
    return ", ".join(told)


def _some(items):
    items = [*dict.fromkeys(items)]  # what is only counted has one name
    more = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {more} more" if more > 0 else "")
