"""What doctor finds in a running agent: a line for each kind of plug-in, and the next step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from qmon_agent.cli._budgets import over_budget
from qmon_agent.cli._described import described as described_in_words
from qmon_agent.cli._described import turned_away
from qmon_agent.cli._disk import NEAR, is_soon, of_disk
from qmon_agent.cli._times import moment

Verdict = Literal["ok", "warn", "fail"]
Status = Mapping[str, Any]
# What to add where there is none of a kind, and what for.
_NONE = {
    "sources": "no way in is open: enable one under [sources]",
    "processors": "none: all that comes is kept as it is",
    "sinks": "none: nothing is forwarded; [sinks.NAME] sends it on",
    "probes": "none: [[probes]] look whether something is up",
    "channels": "none: alerts are kept and nobody is told; add [channels.NAME]",
    "samplers": "none: this host is not measured ([samplers] enabled)",
    "heartbeat": "none: nobody would notice if this agent died; set [heartbeat] url or monitor",
}


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    verdict: Verdict
    what: str
    detail: str = ""


def rooms(status: Status) -> Iterator[Finding]:
    """Every kind has its line, also where there is nothing of it."""
    yield from _loops(status)
    yield from _store(status.get("store", {}))
    yield from _disk(status.get("disk"))
    yield from _each("source", status["sources"], lambda said: said.get("trouble", ""))
    yield from _each("processor", status["processors"].get("steps", {}), _processor)
    yield from _each("sink", status["sinks"], _sink)
    yield _samplers(status["samplers"])
    yield from _each("probe", status["probes"], _probe)
    yield from _channels(status)
    yield from _alerts(status["rules"])
    yield _heartbeat(status["heartbeat"])
    yield from (Finding("warn", "cardinality", line) for line in over_budget(status))
    yield from (Finding("warn", "senders", line) for line in turned_away(status))
    if waits := status["vitals"].get("messages_refused"):
        yield Finding("warn", "senders", f"{waits:.0f} times told to wait; see qmon-agent top")


def _loops(status: Status) -> Iterator[Finding]:
    stuck = {name: trouble for name, trouble in status["loops"].items() if trouble}
    for name, trouble in stuck.items():
        step = "systemd begins the agent anew; qmon-agent flare has the stacks"
        yield Finding("fail", f"loop {name}", f"{trouble}; {step}")
    if not stuck:
        yield Finding("ok", "loops", f"{', '.join(status['loops'])} turn")


def _store(store: Status) -> Iterator[Finding]:
    """What was mended by itself; what cannot be is a problem of the status."""
    counts = store.get("counts", {})
    if counts.get("rebuilt"):
        kept = "the damaged one is kept as damaged.duckdb"
        told = f"the hot file was damaged, or of another version, and made anew; {kept}"
        yield Finding("warn", "store", told)
    if counts.get("hot_file_begun_anew"):
        told = "the hot file was begun anew, as somebody was forgotten: nothing is wrong"
        yield Finding("ok", "store", told)
    if counts.get("hot_file_gone"):
        yield Finding("warn", "store", "the hot file was gone, and made anew of the journal")
    if rebuilt := counts.get("rebuilt_segments"):
        told = f"{rebuilt} damaged segments were made anew of the journal, or of finer rollups"
        yield Finding("warn", "store", told)
    if lost := store.get("damaged_rows"):
        rows = ", ".join(f"{n} of {table}" for table, n in lost.items())
        told = f"rows in damaged segments that could not be made anew, and are in no answer: {rows}"
        yield Finding("warn", "store", f"{told}; a backup may have them (qmon-agent restore)")


def _disk(disk: Status | None) -> Iterator[Finding]:
    if disk:
        near = (disk["share"] or 0) > NEAR or is_soon(disk)
        step = "; keep less ([retention]), or allow more ([store] disk_bytes)" if near else ""
        yield Finding("warn" if near else "ok", "disk budget", f"{of_disk(disk)}{step}")


def _each(kind: str, described: Mapping[str, Any], trouble_of: Any) -> Iterator[Finding]:
    if not described:
        yield Finding("ok", f"{kind}s", _NONE[f"{kind}s"])
    for name, said in described.items():
        trouble = trouble_of(said)
        told = described_in_words(said)
        detail = f"{told}; {trouble}" if trouble else told
        yield Finding("warn" if trouble else "ok", f"{kind} {name}", detail)


def _processor(said: Status) -> str:
    return "lots it failed at were passed on as they were" if said.get("error") else ""


def _sink(said: Status) -> str:
    if said["breaker"] == "closed":
        away = [url for url, state in said.get("gateways", {}).items() if state != "ok"]
        absent = f"the others are sent what was for {' and '.join(away)}" if away else ""
        return str(said.get("trouble", "")) or absent
    return "it is tried again by itself: is it up, do its address and token fit?"


def _probe(said: Status) -> str:
    if said["state"] == "up":
        return ""
    if said["state"] == "unknown":
        return "nobody knows yet, or this machine could not look"
    return "its target does not answer as it should"


def _samplers(described: Mapping[str, Any]) -> Finding:
    if not described:
        return Finding("ok", "samplers", _NONE["samplers"])
    off = sorted(name for name, health in described.items() if health["disabled"])
    absent = sum(bool(health["absent"]) for health in described.values())
    told = f"{len(described) - len(off)} run, {absent} of them find nothing of theirs here"
    if off:
        step = "mend what they fail at, and reload (SIGHUP)"
        return Finding("warn", "samplers", f"{told}; switched off: {', '.join(off)}; {step}")
    return Finding("ok", "samplers", told)


def _channels(status: Status) -> Iterator[Finding]:
    if not status["channels"]:
        has_alerts = bool(status["rules"]["instances"] or status["rules"]["never_matched"])
        yield Finding("warn" if has_alerts else "ok", "channels", _NONE["channels"])
    for name, kind in status["channels"].items():
        counted = {
            word: status["vitals"].get(f'notify_{word}{{channel="{name}"}}', 0)
            for word in ("sent", "dead")
        }
        told = ", ".join(f"{word} {n:.0f}" for word, n in counted.items())
        if counted["dead"]:
            told += "; messages nobody took: does its address answer, is it the right one?"
        yield Finding("warn" if counted["dead"] else "ok", f"channel {name}", f"{kind}, {told}")


def _alerts(rules: Status) -> Iterator[Finding]:
    for name, problem in rules["problems"].items():
        yield Finding("fail", f"alert {name}", f"{problem}; qmon-agent check-config says more")
    for each in rules["health"]:
        kind = each["kind"].replace("_", " ")
        if each["kind"] == "never_matched":
            kind = f"{kind} since {moment(each['since'], now=time.time_ns())}"
        verdict: Verdict = "ok" if each["kind"] == "never_fired" else "warn"
        yield Finding(verdict, f"alert {each['alert']}", f"{kind}: {each['detail']}")
    states = ", ".join(f"{n} {state}" for state, n in rules["instances"].items())
    yield Finding("ok", "alerts", states or "nothing to judge yet")


def _heartbeat(said: Status) -> Finding:
    if not said:
        return Finding("ok", "heartbeat", _NONE["heartbeat"])
    where = " and ".join(filter(None, (said["to"], said["monitor"])))
    if said["error"]:
        error = said["error"].removeprefix(f"{said['to']}: ")
        return Finding("warn", "heartbeat", f"{where}: {error}; is its address right?")
    return Finding("ok", "heartbeat", f"{where}, {said['sent']} sent, {said['withheld']} withheld")
