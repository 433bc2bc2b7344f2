"""The answers to `why`, as sentences made of what is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from qmon_agent.app.reason_words import in_words
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.notices import STORM
from qmon_agent.store.state.ledger import HELD, SUPERSEDED
from qmon_agent.store.state.passing_over import OPEN

Document = Mapping[str, Any]
_ACTIVE = {"firing", "recovering"}
_SAYS = {"firing": "that it fires", "resolved": "that it is over", "acknowledged": "who is on it"}
_OUTDATED = {
    "over": "it was over before it could be told",
    "newer": "before it could be told, a newer message said how it stands",
    "unheard": "nobody there had heard that it began",
}


def incident_answers(told: Document, channel: str) -> Iterator[str]:
    """First what became of it, then who heard of it, and why others did not."""
    yield _life(told)
    if told["incident"]["unknown"] and told["is_open"]:
        yield (
            f"nothing is known of it now ({told['incident']['unknown']}), "
            "which by itself neither fires nor resolves"
        )
    if told["is_flapping"]:
        steady = f", at {when(told['changes_at'])} if nothing changes" if told["changes_at"] else ""
        yield f"it flaps: what changes is not told until it is steady{steady}"
    if not told["incident"]["fired_at"]:
        yield "nobody hears of what has not fired"
        return
    yield from _merged(told)
    yield from _silenced(told)
    messages = [each for each in told["messages"] if channel in {"", each["channel"]}]
    yield from _told(messages)
    heard = {each["channel"] for each in messages}
    missing = [name for name in _meant(told) if name not in heard]
    if channel and channel not in heard and channel not in missing:
        yield f"{channel}: not told, {_not_meant(told)}"
    for name in missing:
        if channel in {"", name}:
            yield f"{name}: nothing was written for it; {_kept_back(told)}"
    if not messages and not missing and not channel:
        yield f"nobody was told: {_not_meant(told)}"
    yield from _further(told)


def alert_answers(told: Document) -> Iterator[str]:
    """Whether it can fire at all, and how far each instance is from that."""
    if told["alert"]["status"] != "active":
        yield "it is switched off: the configuration has it no more"
    if told["problem"]:
        yield f"it cannot work: {told['problem']}"
    yield from _seen(told)
    for standing in told["standings"]:
        yield _standing(standing, told["alert"]["threshold"])
    if told["instances"] > len(told["standings"]):
        yield f"and {told['instances'] - len(told['standings'])} instances more"
    if not told["incidents"]:
        yield "it has not fired as far as is known: what is over is kept for 90 days"


def _life(told: Document) -> str:
    incident = told["incident"]
    moved = incident["transitions"]
    began = next((each["reason"] for each in moved if each["after"] in _ACTIVE), "")
    ended = moved[-1]["reason"] if moved else ""
    if not incident["fired_at"] and told["is_open"]:
        due = (
            f"; if that lasts it fires at {when(told['changes_at'])}" if told["changes_at"] else ""
        )
        return f"it is pending since {when(incident['since'])}{due}"
    if not incident["fired_at"]:
        return f"it never fired: pending since {when(incident['since'])}, then {in_words(ended)}"
    fired = f"it fired at {when(incident['fired_at'])}: {in_words(began)}"
    if told["is_open"]:
        return f"{fired}; it fires still"
    return f"{fired}; it was over at {when(incident['resolved_at'])}: {in_words(ended)}"


def _told(messages: Sequence[Document]) -> Iterator[str]:
    """Each message in order: of one thread, one waits for the other."""
    forked, waiting = _forked(messages), set()
    for each in messages:
        thread = each["channel"], each["receiver"], each["route"]
        way = _way(each) if each["channel"] in forked else ""
        yield _sent(each, way, is_behind=thread in waiting)
        if each["status"] in OPEN:
            waiting.add(thread)


def _forked(messages: Sequence[Document]) -> set[str]:
    """The channels that more than one route, or receiver, leads to: each is named then."""
    ways = {(each["channel"], each["receiver"], each["route"]) for each in messages}
    channels = [channel for channel, *_ in ways]
    return {channel for channel in channels if channels.count(channel) > 1}


def _way(message: Document) -> str:
    if not message["receiver"]:
        return ""
    route = f", route {message['route']}" if message["route"] else ""
    return f" (receiver {message['receiver']}{route})"


def _sent(message: Document, way: str, *, is_behind: bool) -> str:
    who = f"{message['channel']}{way}"
    says = _SAYS.get(message["says"], message["says"])
    group = f", in a message about {message['of_group']}" if message["of_group"] > 1 else ""
    tries = len(message["tries"])
    if message["status"] == "sent":
        late = f", at attempt {tries}" if tries > 1 else ""
        return f"{who}: told {says} at {when(message['sent_at'])}{group}{late}"
    if message["status"] in _UNTOLD:
        return f"{who}: was not told {says}{group}: {_UNTOLD[message['status']](message)}"
    if message["status"] == "leased":
        return f"{who}: is being told {says}{group}"
    if is_behind:
        return f"{who}: is to be told {says}{group}, after what comes before it"
    tried = f"attempt {tries} failed: {_trouble(message)}; " if tries else ""
    due = f"at {when(message['due_at'])}" if message["due_at"] else "at once"
    last = when(message["deadline"])
    return f"{who}: is to be told {says}{group}; {tried}tried next {due}, given up at {last}"


def _held(message: Document) -> str:
    since = message["detail"].removeprefix(f"{STORM}:")
    if since.isdigit():
        return f"it was held by the storm brake ({STORM}), since {when(int(since))}"
    return f"that it began was held by the storm brake ({STORM})"


def _trouble(message: Document) -> str:
    detail = message["detail"] or (message["tries"][-1]["detail"] if message["tries"] else "")
    return str(detail or "no reason was given")


def _outdated(message: Document) -> str:
    return f"{_OUTDATED.get(message['detail'], message['detail'])} ({SUPERSEDED})"


_UNTOLD = {"dead": _trouble, HELD: _held, SUPERSEDED: _outdated}


def _meant(told: Document) -> Sequence[str]:
    """The channels that should hear of it, as things stand now."""
    if told["routing"] is None:
        return list(told["channels"])
    return [name for route in told["routing"]["routes"] for name in route["channels"]]


def _not_meant(told: Document) -> str:
    if told["routing"] is None:
        names = ", ".join(told["channels"])
        return f"its alert tells {names}" if names else "there is no channel to tell"
    routes = ", ".join(
        f"{route['receiver']} ({', '.join(route['channels']) or 'no channel'})"
        for route in told["routing"]["routes"]
    )
    return f"its routes lead to {routes}"


def _kept_back(told: Document) -> str:
    """Why somebody who is meant has heard nothing."""
    reasons = [f"it is muted by {each}" for each in told["muted_by"]]
    handling = told["incident"]["handling"]
    if handling["acked_at"]:
        reasons.append(f"{handling['acked_by'] or 'somebody'} has acknowledged it")
    if put_off := _put_off(told):
        reasons.append(f"it is {put_off}")
    if told["routing"] is not None:
        closed = {name for route in told["routing"]["routes"] for name in route["closed_by"]}
        reasons += [f"its route is closed by {name}" for name in sorted(closed)]
    waits = [each["due_at"] for each in told["groups"] if not each["told"]]
    if waits and told["is_open"]:
        reasons.append(f"its group waits for others until {when(min(waits))}")
    usual = "it was muted when it fired, or the channel was added when it was over"
    return "; ".join(reasons) or usual


def _merged(told: Document) -> Iterator[str]:
    """What it is one episode with."""
    incident = told["incident"]
    said = [each for each in incident["remarks"] if each["kind"] in {"merged", "split"}]
    for each in said:
        by = f" by {each['author']}" if each["author"] else ""
        if each["kind"] == "merged":
            yield f"merged into {each['text']} at {when(each['at'])}{by}: that one is told since"
        else:
            yield f"split off at {when(each['at'])}{by} ({each['text']}): it is told by itself"
    if incident["merged"]:
        names = ", ".join(incident["merged"])
        yield f"merged into it: {names}; nobody hears that it is over before they are"


def _silenced(told: Document) -> Iterator[str]:
    """By what it was silenced that is over; what silences it now is told with whom it keeps."""
    for each in told["silences"]:
        if each["ends_at"] <= told["now"]:
            by = f" by {each['author']}" if each["author"] else ""
            why = f": {each['comment']}" if each["comment"] else ""
            since = when(max(each["starts_at"], told["incident"]["fired_at"]))
            until = when(each["ends_at"])
            kept = "kept people from hearing of it"
            yield f"silence {each['id']}{by} {kept}, {since} to {until}{why}"


def _put_off(told: Document) -> str:
    """Until when, and by whom; empty where nobody has."""
    incident = told["incident"]
    until = incident["handling"]["snoozed_until"]
    if told["now"] >= until:
        return ""
    said = [each["author"] for each in incident["remarks"] if each["kind"] == "snooze"]
    return f"put off until {when(until)} by {(said or [''])[-1] or 'somebody'}"


def _further(told: Document) -> Iterator[str]:
    """What happens next, where it fires still."""
    if not told["is_open"]:
        return
    if told["muted_by"] and told["messages"]:
        yield f"now muted by {', '.join(told['muted_by'])}"
    handling = told["incident"]["handling"]
    if handling["acked_at"]:
        until = f" until {when(handling['acked_until'])}" if handling["acked_until"] else ""
        yield f"acknowledged by {handling['acked_by'] or 'somebody'}{until}: it is not repeated"
    if put_off := _put_off(told):
        yield f"{put_off}: it is not repeated, and told again then if it fires still"
    for group in told["groups"]:
        if group["told"]:
            labels = ", ".join(f"{name}={text}" for name, text in group["labels"].items())
            next_at = when(group["due_at"])
            yield f"in the group {{{labels}}} of {group['members']}, looked at next {next_at}"


def _seen(told: Document) -> Iterator[str]:
    alert = told["alert"]
    if not told["is_matched"]:
        yield (
            "nothing that it looks at has come lately, and what came before the rule was there "
            f"({when(alert['created_at'])}) it does not know: is it sent still, is its system or "
            "metric misspelt?"
        )
    elif not told["instances"]:
        yield "it has had nothing to judge yet"
    for reading in told["readings"]:
        line = f", against {alert['threshold']}" if alert["threshold"] else ""
        yield (
            f"newest {reading['metric']} of {reading['system']}: {reading['value']:.6g} "
            f"at {when(reading['at'])}{line}"
        )


def _standing(standing: Document, threshold: str) -> str:
    since = standing["since"]
    parts = [f"{standing['instance']}: {standing['state']}"]
    parts += [f"since {when(since)}"] if since else []
    if standing["value"] is not None:
        line = f" against {threshold}" if threshold else ""
        parts.append(f"value {standing['value']:.6g}{line}")
    if standing["unknown"]:
        known = standing["unknown_since"]
        moment = f" since {when(known)}" if known else ""
        parts.append(f"unknown{moment}: {standing['unknown']}")
    if standing["is_flapping"]:
        parts.append("flapping")
    if standing["changes_at"]:
        parts.append(f"goes on at {when(standing['changes_at'])}")
    if standing["incident"]:
        parts.append(f"incident {standing['incident']}")
    return ", ".join(parts)


def when(at: int) -> str:
    """The moment as the clock on the wall of the agent had it."""
    return datetime.fromtimestamp(at // SECOND).astimezone().isoformat(sep=" ")
