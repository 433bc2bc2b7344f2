"""`qmon-agent doctor`: is everything joined up, and what to do where it is not."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from qmon_agent.cli._control import UnreachableError, find_control, whereabouts
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._rooms import Finding, Verdict, rooms
from qmon_agent.cli._shown import printable, show_json
from qmon_agent.domain.errors import QmonError
from qmon_agent.settings import Locations

_LOW_DISK_BYTES = 512 << 20
_EXTRAS = {
    "uvloop": "the loop is slower without it",
    "duckdb": "signals cannot be queried without it: pip install 'qmon[store]'",
    "pyarrow": "signals cannot be queried without it: pip install 'qmon[store]'",
}
_WRONG_OPTIONS = """
    SELECT service, body FROM logs
    WHERE logger = 'qmon_sdk' AND time > now() - INTERVAL 1 DAY
    GROUP BY service, body ORDER BY max(time) DESC
"""
_MOST_SERVICES = 50


@click.command
@click.option("--verify", is_flag=True, help="Read every byte of segments and journal, too.")
@with_place
def command(*, verify: bool, place: Place) -> int:
    """Look at everything that has to be right; exit code 1 if something is not."""
    found = [*findings(place.locations)]
    if verify:
        from qmon_agent.cli._verified import verified

        found += verified(place.locations, now=time.time_ns())
    failed = any(finding.verdict == "fail" for finding in found)
    if place.json:
        show_json({"version": 1, "ok": not failed, "findings": msgspec.to_builtins(found)})
    else:
        for finding in found:
            click.echo(f"{finding.verdict:4}  {finding.what}: {finding.detail}".rstrip(": "))
    return 1 if failed else 0


def findings(locations: Locations) -> Iterator[Finding]:
    """Everything that is looked at, in the order in which it would be mended."""
    yield _state(locations)
    yield _disk(locations)
    theirs = _file_of_agent(locations)
    yield from _config(locations, theirs)
    yield _state_store(locations, theirs)
    for name, loss in _EXTRAS.items():
        there = importlib.util.find_spec(name) is not None
        yield Finding("ok" if there else "warn", f"package {name}", "" if there else loss)
    yield _spool(locations)
    yield from _agent(locations)


def _state(locations: Locations) -> Finding:
    directory = locations.state
    if not directory.exists():
        return Finding("warn", "state directory", f"{directory} is not there yet; run makes it")
    if not os.access(directory, os.W_OK):
        return Finding("fail", "state directory", f"{directory} is not writable by this user")
    return Finding("ok", "state directory", str(directory))


def _disk(locations: Locations) -> Finding:
    there = next(path for path in (locations.state, *locations.state.parents) if path.exists())
    free = shutil.disk_usage(there).free
    verdict: Verdict = "ok" if free > _LOW_DISK_BYTES else "warn"
    return Finding(verdict, "disk", f"{free >> 20} MiB free on {there}")


def _config(locations: Locations, theirs: str | None) -> Iterator[Finding]:
    from qmon_agent.app.checking import load_plugins

    try:
        load_plugins(locations.config)
    except QmonError as problem:
        for one in (problem, *problem.others):
            yield Finding("fail", "configuration", f"{one.file}: {one}".lstrip(": "))
        return
    yield Finding("ok", "configuration", _file_in_force(locations, theirs))


def _state_store(locations: Locations, theirs: str | None) -> Finding:
    """The database of alerts and incidents; all of a file of SQLite is read."""
    from qmon_agent.app.examining import examine_state

    if theirs is not None:
        locations = msgspec.structs.replace(locations, config=Path(theirs) if theirs else None)
    try:
        found = examine_state(locations)
    except QmonError as problem:
        return Finding("fail", "state store", str(problem))
    if found.trouble:
        return Finding("fail", "state store", f"{found.name}: {found.trouble}")
    if not found.revision:
        return Finding("warn", "state store", f"{found.name} is not there yet; run makes it")
    owner = f", of {found.owner}" if found.owner else ""
    return Finding("ok", "state store", f"{found.name}, schema {found.revision}{owner}")


def _file_of_agent(locations: Locations) -> str | None:
    """The configuration of the agent that runs, "" where it has none; None where none runs."""
    try:
        theirs: str = find_control(locations).get("/api/status")["config"]["file"]
    except QmonError:
        return None
    return theirs


def _file_in_force(locations: Locations, theirs: str | None) -> str:
    """The agent that runs may have been given another file than is found here."""
    none = "none; defaults are in force"
    here = str(locations.config or "")
    if theirs is None or theirs == here:
        return here or none
    beside = f"; found here, and not in force: {here}" if here else ""
    return f"{theirs or none} (of the running agent{beside})"


def _spool(locations: Locations) -> Finding:
    waiting = [*locations.spool.glob("*.frames")] if locations.spool.is_dir() else []
    size = sum(file.stat().st_size for file in waiting)
    return Finding("ok", "spool", f"{len(waiting)} files, {size} bytes waiting")


def _agent(locations: Locations) -> Iterator[Finding]:
    try:
        status = find_control(locations).get("/api/status")
    except UnreachableError as problem:
        yield Finding("fail", "agent", str(problem))
        yield from _hung(locations, pid=0)
        return
    yield Finding("ok", "agent", f"pid {status['pid']}, {status['url']}")
    yield from _hung(locations, pid=status["pid"])
    if status["config"]["changed"]:
        step = "the file was changed since it was read; SIGHUP reads it"
        yield Finding("warn", "configuration", step)
    yield _data_socket(Path(whereabouts(locations).get("socket", locations.socket)))
    yield from rooms(status)
    for trouble in status["problems"]:
        yield Finding("fail", "status", trouble)
    yield from _programs(locations)


def _hung(locations: Locations, *, pid: int) -> Iterator[Finding]:
    """What the watchdog of an agent wrote down that may answer no more."""
    try:
        written = json.loads(locations.hung.read_bytes())
        loops = ", ".join(f"{name} ({trouble})" for name, trouble in written["loops"].items())
        age_s = time.time() - float(written["time"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return
    if written.get("pid") == pid:
        return  # the agent says so itself
    where = f"{locations.hung} has the stacks"
    yield Finding("warn", "watchdog", f"an agent hung {age_s:.0f} s ago in {loops}; {where}")


def _programs(locations: Locations) -> Iterator[Finding]:
    """What programs have said today of how they were told to begin."""
    try:
        rows = find_control(locations).query({"sql": _WRONG_OPTIONS, "limit": _MOST_SERVICES})[
            "rows"
        ]
    except QmonError:
        return  # without a store nobody knows
    for row in rows:
        yield Finding("warn", f"service {row['service']}", printable(row["body"]))


def _data_socket(path: Path) -> Finding:
    """Whether an application could connect, as this user."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        code = probe.connect_ex(str(path))
    if code:
        return Finding("fail", "data socket", f"{path}: {os.strerror(code)}")
    return Finding("ok", "data socket", str(path))
