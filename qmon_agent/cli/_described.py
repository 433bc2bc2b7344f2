"""What plug-ins say of themselves, and who was turned away, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.cli._shown import printable

_RECENT_S = 3_600
_MINUTE_S = 60
# Why somebody was turned away, and what to do about it.
_REASONS = {
    "no_token": ("no token", "`qmon-agent token create` makes one"),
    "wrong_token": ("wrong token", "`qmon-agent token create` makes another"),
    "role": ("a token of another scope", "`qmon-agent token create --scope ingest` lets them send"),
    "origin": ("a page of another origin", "see http.hosts"),
    "host": ("a host name that is not served here", "name it in http.hosts"),
    "too_large": ("too large a body", "have them send less at once, or raise http.max_body_bytes"),
    "too_much": ("too much under way", "they come again; see qmon-agent top"),
    "too_slow": ("a body that did not come in time", "see http.body_timeout_s"),
    "packing": (
        "a packing that is not known",
        "have them send gzip, or install brotli or zstandard here",
    ),
    "malformed": ("requests that make no sense", "do they speak HTTP, and to the right port?"),
}


def described(said: Mapping[str, Any], *, beside: tuple[str, ...] = ("trouble",)) -> str:
    """`key value, key value`, without what says nothing, or is told beside."""
    told = ((key, words(value)) for key, value in said.items() if key not in beside)
    return ", ".join(f"{key.replace('_', ' ')} {text}" for key, text in told if text)


def words(value: Any) -> str:
    """A value as somebody would write it down."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        pairs = (f"{printable(str(key))} ({words(one)})" for key, one in value.items())
        return " ".join(pairs) or "none"
    if isinstance(value, list | tuple):
        return " ".join(map(words, value)) or "none"
    return "" if value is None else printable(str(value))


def troubles(status: Mapping[str, Any]) -> Iterator[str]:
    """Which sources do not take what they should, and which sinks are refused some of it."""
    for kind in ("source", "sink"):
        for name, said in status[f"{kind}s"].items():
            if said.get("trouble"):
                yield f"{kind} {name}"
    if any(turned_away(status)):
        yield "senders"


def turned_away(status: Mapping[str, Any]) -> Iterator[str]:
    """Who was not let in within the last hour."""
    for each in status["turned_away"]:
        if each["last_s"] > _RECENT_S:
            continue
        why, step = _REASONS.get(each["reason"], (each["reason"], "see qmon-agent top"))
        who = "1 sender was" if each["senders"] == 1 else f"{each['senders']} senders were"
        when = f"last from {printable(each['last_from'])} {_age(each['last_s'])} ago"
        yield f"{who} turned away: {why} ({_times(each['requests'])}); {when}; {step}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTE_S else f"{seconds / _MINUTE_S:.0f} min"
