"""`qmon-agent status`: how is it, and do its books add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from qmon_agent.cli._budgets import over_budget
from qmon_agent.cli._control import find_control
from qmon_agent.cli._described import described, troubles, turned_away
from qmon_agent.cli._disk import of_disk
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import printable, show_json


@click.command
@with_place
def command(*, place: Place) -> int:
    """Say how the running agent is; exit code 1 if something is not well."""
    status = find_control(place.locations).get("/api/status")
    if place.json:
        show_json(status)
    else:
        for line in _lines(status):
            click.echo(line)
    return 0 if status["well"] else 1


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_in_a_word(status)}: pid {status['pid']}, {status['url']}"
    yield from (f"  {problem}" for problem in status["problems"])
    books = status["conservation"]
    sign = "=" if books["adds_up"] else "≠"
    yield (
        f"captured {books['captured']} {sign} stored {books['stored']}"
        f" + dropped {books['dropped']} + pending {books['pending']}"
    )
    for name, n in books["held_by_processors"].items():
        yield f"  held {n}: by processor {name}, and booked when it lets them go"
    for reason, n in sorted(books["dropped_by_reason"].items()):
        yield f"  dropped {n}: {reason}"
    for reason, n in sorted(status["dead_letters"].items()):
        yield f"  dead letters {n}: {reason}"
    yield from _rooms(status)


def _in_a_word(status: Mapping[str, Any]) -> str:
    if not status["well"]:
        return "DEGRADED"
    doubtful = ", ".join(troubles(status))
    return f"well, but see {doubtful}" if doubtful else "well"


def _sources(status: Mapping[str, Any]) -> Iterator[str]:
    yield from _plugs("source", status["sources"])
    yield from (f"senders: {line}" for line in turned_away(status))


def _plugs(kind: str, plugs: Mapping[str, Any]) -> Iterator[str]:
    for name, said in plugs.items():
        trouble = f"; {printable(said['trouble'])}" if said.get("trouble") else ""
        yield f"{kind} {name}: {described(said)}{trouble}"


def _rooms(status: Mapping[str, Any]) -> Iterator[str]:
    journal, store, rules = status["journal"], status["store"], status["rules"]
    yield f"journal: {journal['bytes'] >> 20} MiB in {journal['segments']} segments"
    rows = ", ".join(f"{n} {table}" for table, n in store["rows"].items() if n)
    yield f"store: {store['state']}, {store['lag']} records behind, {rows or 'no rows'}"
    yield f"disk: {of_disk(status['disk'])}"
    yield f"rules: {rules['lag']} records behind, {', '.join(_stand(rules))}"
    memory = status["memory"]
    most, level = memory["limit_bytes"] >> 20, memory["level"]
    yield f"memory: {memory['resident_bytes'] >> 20} of {most} MiB, {level}"
    yield _active(status["cardinality"])
    yield from (f"  {line}" for line in over_budget(status))
    for each in rules["health"]:
        kind = each["kind"].replace("_", " ")
        yield printable(f"  alert {each['alert']}: {kind}: {each['detail']}")
    yield from _sources(status)
    for name, told in status["processors"].get("steps", {}).items():
        each_ns = told["nanoseconds"] // max(told["came"], 1)
        yield (
            f"processor {name}: came {told['came']}, went {told['went']}, "
            f"dropped {told['dropped']}, held {told['held']}, {each_ns} ns each"
        )
    yield from _plugs("sink", status["sinks"])
    config = status["config"]
    yield f"config: generation {config['generation']}, {config['file'] or 'no file'}"
    if config["changed"]:
        yield "  the file was changed since it was read: SIGHUP reads it"
    if config["needs_restart"]:
        yield f"  changed, and waiting for a restart: {', '.join(config['needs_restart'])}"


def _stand(rules: Mapping[str, Any]) -> Iterator[str]:
    """How many instances of alerts are in each state, and what is said of some of them besides."""
    if not rules["instances"]:
        yield "nothing to judge"
    yield from (f"{n} {state}" for state, n in rules["instances"].items())
    if rules["unknown"]:
        yield f"nothing known of {rules['unknown']} now"
    if rules["flapping"]:
        yield f"{rules['flapping']} flapping"
    if rules["storms"]:
        yield f"storms held from {' '.join(rules['storms'])}"


def _active(budgets: Mapping[str, Any]) -> str:
    told = (f"{each['active']} {name.replace('_', ' ')}" for name, each in budgets.items())
    return f"active: {', '.join(told)}"
