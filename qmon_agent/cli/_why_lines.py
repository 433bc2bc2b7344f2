"""An incident for people: the answers of `why`, and its life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.cli._times import moment


def incident_lines(told: Mapping[str, Any]) -> Iterator[str]:
    incident = told["incident"]
    yield f"{incident['alert_name']}, incident {incident['id']}, {incident['severity']}"
    yield from (f"  {answer}" for answer in told["answers"])
    for each in incident["transitions"]:
        yield f"    {moment(each['at'], now=told['now'])}  {_moved(each)}"
    for each in incident["remarks"]:
        at, text = moment(each["at"], now=told["now"]), f": {each['text']}" if each["text"] else ""
        yield f"    {at}  {each['kind']} {each['author']}{text}"


def _moved(transition: Mapping[str, Any]) -> str:
    reason, says, value = transition["reason"], transition["says"], transition["value"]
    states = f"{transition['before']} → {transition['after']}"
    moved = transition["after"] if transition["before"] == transition["after"] else states
    words = f" ({says})" if says != reason else ""
    number = f", value {value:.6g}" if value is not None else ""
    return f"{moved}: {reason}{words}{number}"
