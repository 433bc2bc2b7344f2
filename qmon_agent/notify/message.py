"""The message: what, since when, how bad, value and threshold, in words safe to show anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from unicodedata import category

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.notices import Notice

MAX_FIELD = 1_000
MAX_LABELS = 50
_LABELS, _LABEL = 4, 60
"""So many labels stand in a title, and so much of each."""
MAX_MEMBERS = 20
"""So many incidents of a group have a line of their own."""
MANY = 1_000
"""So many other instances are counted, and no more."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may do about it with one tap: a link and what it says."""

    name: str
    link: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way: `key` is the same however often it is sent.

    `reference` is what the service called an earlier message about the incident; `others` counts
    the further instances of the alert that fire; `chart` is a PNG, and `chart_link` where it is
    drawn for whoever asks.
    """

    key: str
    channel: str
    notice: Notice
    title: str
    text: str
    link: str = ""
    attempt: int = 1
    sent_at: int = 0
    reference: str = ""
    others: int = 0
    actions: tuple[Action, ...] = ()
    chart: bytes | None = None
    chart_link: str = ""

    @property
    def buttons(self) -> tuple[Action, ...]:
        """The actions, and before them the way to the incident, where there is one."""
        look = (Action(name="Show", link=self.link),) if self.link else ()
        return look + self.actions


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What a message carries outside of its words."""

    key: str
    channel: str
    link: str = ""
    actions: tuple[Action, ...] = ()
    attempt: int = 1
    sent_at: int = 0
    reference: str = ""
    others: int = 0


def compose(notice: Notice, address: Address) -> Message:
    """Put a notice into words; everything in it is made safe first, as anybody may have sent it."""
    safe = _made_safe(notice)
    # Of a group, the members say it.
    others = 0 if safe.members else address.others
    return Message(
        key=address.key,
        channel=address.channel,
        notice=safe,
        title=title_of(safe),
        text="\n".join(_lines(safe, address.link, others)),
        link=address.link,
        actions=address.actions,
        attempt=address.attempt,
        sent_at=address.sent_at,
        reference=address.reference,
        others=others,
    )


def clean(text: str, limit: int = MAX_FIELD) -> str:
    """One line without control, format or direction characters, which are shown as escapes."""
    shown = "".join(_shown(character) for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def moment(nanos: int) -> str:
    """A time as people and programs read it: RFC 3339 in UTC, with milliseconds."""
    whole, rest = divmod(nanos, SECOND)
    stamp = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest // 1_000_000:03d}Z"


def _shown(character: str) -> str:
    # C: control, format (direction, zero width), surrogates; Zl and Zp: line ends to some readers.
    if category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def _made_safe(notice: Notice) -> Notice:
    texts = {
        name: clean(value)
        for name, value in msgspec.structs.asdict(notice).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(
        notice,
        labels=_safe_labels(notice.labels),
        group_labels=_safe_labels(notice.group_labels),
        members=tuple(map(_made_safe, notice.members)),
        **texts,
    )


def _safe_labels(labels: Mapping[str, str]) -> dict[str, str]:
    pairs = list(labels.items())[:MAX_LABELS]
    return {clean(name): clean(value) for name, value in pairs}


def title_of(notice: Notice, known: Mapping[str, str] | None = None) -> str:
    """One line: how it stands, how bad, what and where, which of them, without labels `known`."""
    where = f" on {notice.system}" if notice.system else ""
    which = _which(notice, known)
    status = notice.status.upper()
    return f"[{status}] {notice.severity}: {notice.alert}{where}{which}{_measured(notice)}"


def _which(notice: Notice, known: Mapping[str, str] | None) -> str:
    """Of which series, where it is about those of a metric; other rules say it in their text."""
    if not notice.metric:
        return ""
    told = {"service": notice.system, "severity": notice.severity, "alertname": notice.alert}
    said = {**told, **(known or {})}
    labels = [
        f"{name}={clean(value, _LABEL)}"
        for name, value in sorted(notice.labels.items())
        if said.get(name) != value
    ]
    more = ["…"] if len(labels) > _LABELS else []
    return f" {{{', '.join(labels[:_LABELS] + more)}}}" if labels else ""


def _measured(notice: Notice) -> str:
    if notice.text:
        return f": {notice.text}"
    if notice.value is None or not notice.metric:
        return ""
    against = f" ({notice.threshold})" if notice.threshold else ""
    return f": {notice.metric} = {notice.value:g}{against}"


def _lines(notice: Notice, link: str, others: int) -> list[str]:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(notice.labels.items()))
    said = {
        "": notice.description,
        "since": moment(notice.since) if notice.since else "",
        "fired": moment(notice.fired_at) if notice.fired_at else "",
        "resolved": moment(notice.resolved_at) if notice.resolved_at else "",
        "value": "" if notice.value is None else f"{notice.value:g}",
        "threshold": notice.threshold,
        "labels": labels,
        "others firing": f"{others}{'+' if others >= MANY else ''}" if others else "",
        "reason": notice.reason,
        # Of a group there is none that all of it is about.
        "incident": link or ("" if notice.members else notice.incident),
    }
    lines = [f"{name}: {value}" if name else value for name, value in said.items() if value]
    return lines + _members(notice)


def _members(notice: Notice) -> list[str]:
    lines = [f"- {title_of(member, notice.labels)}" for member in notice.members[:MAX_MEMBERS]]
    more = len(notice.members) - len(lines) + notice.left_out
    return [*lines, f"- and {more} more"] if more else lines
