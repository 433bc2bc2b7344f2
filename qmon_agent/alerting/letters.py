"""What is said of a group: one notice that has what its members have in common, and them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from msgspec.structs import replace

from qmon_agent.domain.alarms.groups import Alarm, Group, GroupMessage, Key
from qmon_agent.domain.catalog import weight_of
from qmon_agent.domain.notices import Notice

MOST_MEMBERS = 200
"""A message names so many; how many more there are, it says."""
_SHARED = ("description", "rule", "system", "metric", "threshold")


def letter(message: GroupMessage, notices: Mapping[str, Notice]) -> Notice:
    """The notice of a group's message; `notices` are what was said of its incidents last."""
    members = [notices[alarm.id] for alarm in message.alarms if alarm.id in notices]
    firing = [each for each in members if each.status == "firing"]
    of_note = firing or members
    first = of_note[0]
    shared = {name: _common([getattr(each, name) for each in of_note]) for name in _SHARED}
    return replace(
        first,
        incident=message.anchor,
        status=message.status,
        reason=message.reason,
        alert=_common([each.alert for each in of_note]) or f"{len(members)} alerts",
        severity=max((each.severity for each in of_note), key=weight_of),
        **shared,
        value=first.value if len(of_note) == 1 else None,
        text=first.text if len(members) == 1 else _counted(members),
        labels=_in_common([each.labels for each in of_note]),
        since=min(each.since for each in of_note),
        fired_at=min(each.fired_at for each in of_note),
        resolved_at=0 if firing else max(each.resolved_at for each in of_note),
        receiver=message.receiver,
        group=message.name,
        group_labels=dict(message.key[1]),
        members=tuple(members[:MOST_MEMBERS]),
        left_out=max(len(members) - MOST_MEMBERS, 0),
    )


def acknowledgement(key: Key, group: Group, firing: tuple[Alarm, ...]) -> Iterator[GroupMessage]:
    """For each channel that heard that something of a group fires: that all of it is taken on."""
    for channel, told in group.told.items():
        if told.firing and firing:
            yield GroupMessage(
                key=key,
                receiver="",
                channel=channel,
                reason="repeat",
                alarms=firing,
                anchor=group.anchor,
                name=group.name,
                number=group.messages,
            )


def _counted(members: Sequence[Notice]) -> str:
    firing = sum(each.status == "firing" for each in members)
    counts = {"firing": firing, "resolved": len(members) - firing}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _common(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else ""


def _in_common(labels: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = reduce(lambda left, right: left & right, (set(each.items()) for each in labels))
    return dict(sorted(shared))
