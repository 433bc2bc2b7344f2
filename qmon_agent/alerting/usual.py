"""The alerts that are there from the first start: few, quiet, and each told off by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.settings import AlertOptions, Settings

USUALLY = "default"
"""Who has made them, as the catalog has it."""
_HOST, _AGENT = "host", "qmon-agent"
_WHILE_TOLD: dict[str, Any] = {"threshold": "> 0", "on_unknown": "resolve", "unknown_for": "30m"}
"""For counters that are told only when they grow: half an hour without is the end of it."""

USUAL: tuple[AlertOptions, ...] = (
    AlertOptions(
        name="disk nearly full",
        system=_HOST,
        metric="system.filesystem.utilization",
        threshold="> 0.95 for 10m",
        options={"clear": "< 0.93"},
        description="A file system has less than 5 % left: delete, move, or make it larger.",
    ),
    AlertOptions(
        name="disk fills up",
        rule="forecast",
        system=_HOST,
        metric="system.filesystem.utilization",
        threshold="> 0.98 for 10m",
        options={"within": "4h", "clear_within": "8h", "window": "1h", "min_fit": 0.8},
        description="At the pace of the last hour a file system is full within four hours.",
    ),
    AlertOptions(
        name="memory pressure",
        system=_HOST,
        metric="system.linux.pressure.share",
        threshold="> 0.1 for 5m",
        options={
            "where": {
                "system.linux.pressure.resource": "memory",
                "system.linux.pressure.kind": "full",
            },
            "clear": "< 0.05",
        },
        description="All work stands still for a tenth of the time, waiting for memory.",
    ),
    AlertOptions(
        name="killed for want of memory",
        system=_HOST,
        metric="system.linux.memory.oom_kills",
        **_WHILE_TOLD,
        description="The kernel has killed a process: what is it, and who took the memory?",
    ),
    AlertOptions(
        name="something is down",
        rule="probe_down",
        for_="1m",
        description="A probe of yours says so; look at `probe.target`.",
    ),
    AlertOptions(
        name="certificate ends",
        rule="certificate_expiry",
        options={"critical_within": "0s"},
        description="A certificate that a probe has seen ends within two weeks: renew it.",
    ),
    AlertOptions(
        name="job did not run",
        rule="missed_checkin",
        description="A scheduled job is missed, late, too long or failed.",
    ),
    AlertOptions(
        name="error of a new kind",
        rule="new_error",
        severity="info",
        description="An error that no service has told of before.",
    ),
    AlertOptions(
        name="sessions crash",
        rule="crashed_sessions",
        threshold="> 0.02",
        options={"clear": "< 0.01"},
        description="More than 2 % of the sessions of an hour crashed, of fifty or more.",
    ),
    AlertOptions(
        name="requests fail",
        rule="ratio",
        threshold="> 0.05 for 5m",
        options={
            "part": {
                "metric": "http.server.request.duration",
                "where": {"http.response.status_code": "5*"},
            },
            "whole": {"metric": "http.server.request.duration"},
            "min_events": 100,
            "clear": "< 0.02",
        },
        description="More than 5 % of a service's requests fail, of a hundred or more.",
    ),
    AlertOptions(
        name="agent loses records",
        system=_AGENT,
        metric="qmon.agent.journal_records_lost",
        **_WHILE_TOLD,
        description="The journal was full: a reader is too slow, or its bound too small.",
    ),
    AlertOptions(
        name="store near its budget",
        system=_AGENT,
        metric="qmon.agent.disk_budget_share",
        threshold="> 0.9 for 10m",
        options={"clear": "< 0.88"},
        on_unknown="resolve",
        unknown_for="30m",
        description="Of `[store] disk_bytes` less than 10 % is left: keep less, or allow more.",
    ),
    AlertOptions(
        name="store outgrows its budget",
        system=_AGENT,
        metric="qmon.agent.disk_full_in_days",
        threshold="< 3 for 1h",
        options={"clear": "> 4"},
        on_unknown="resolve",
        unknown_for="30m",
        description="Within three days `[store] disk_bytes` is used: keep less, or allow more.",
    ),
    AlertOptions(
        name="sink gives up",
        system=_AGENT,
        metric="qmon.agent.sink_dead_batches",
        **_WHILE_TOLD,
        description="A backend has refused what it was sent: `qmon-agent doctor` says which.",
    ),
    AlertOptions(
        name="message not delivered",
        system=_AGENT,
        metric="qmon.agent.notify_dead",
        **_WHILE_TOLD,
        description="A channel took no message for a day: `qmon-agent doctor` says which.",
    ),
)


def usual_of(settings: Settings) -> tuple[AlertOptions, ...]:
    """Those that are on, told to whom the settings say.

    One steps back where an alert is declared of its name, or of its rule and metric.
    """
    said = settings.defaults
    if not said.alerts:
        return ()
    names = {each.name for each in settings.alerts} | {*said.off}
    kinds = {(each.rule, each.metric) for each in settings.alerts}
    return tuple(
        replace(each, channels=said.channels)
        for each in USUAL
        if each.name not in names and (each.rule, each.metric) not in kinds
    )


def check_usual(settings: Settings) -> Iterator[ConfigError]:
    """What is wrong with `[defaults]`."""
    names = [each.name for each in USUAL]
    for number, name in enumerate(settings.defaults.off):
        if name not in names:
            near = nearest_to(name, names) or tuple(names)
            yield ConfigError(f"defaults.off[{number}]", f"no default alert {name!r}", near)
    for number, name in enumerate(settings.defaults.channels):
        if name not in settings.channels:
            near = nearest_to(name, settings.channels)
            yield ConfigError(f"defaults.channels[{number}]", f"no channel {name!r}", near)
