"""Everything about a configuration that can be known before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.alerting.declaring import check_alerts_of
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.durations import parse_duration
from qmon_agent.domain.errors import ConfigError, UnknownPluginError, nearest_to
from qmon_agent.domain.plugins import refuse_negative
from qmon_agent.forward.sinks import Sink, make_sinks
from qmon_agent.ingest.listening import address_of
from qmon_agent.ingest.sources import Source, make_sources
from qmon_agent.monitoring.samplers import SAMPLERS, Sampler
from qmon_agent.notify.channels import CHANNELS, Channel
from qmon_agent.settings import Settings, load_settings
from qmon_agent.store.telemetry import directory_of
from qmon_sdk.protocol.signals import SIGNALS

_NUMBERED = ("http", "admission", "journal", "store", "samplers")


class Plugins(msgspec.Struct, frozen=True, kw_only=True):
    """What the sections of a configuration make."""

    sources: dict[str, Source]
    samplers: dict[str, Sampler]
    channels: dict[str, Channel]
    sinks: dict[str, Sink]


def make_plugins(settings: Settings) -> Plugins:
    """Builds every plug-in that is configured; raises ConfigError or UnknownPluginError."""
    channels = {name: make_channel(name, table) for name, table in settings.channels.items()}
    for alert in settings.alerts:
        for number, name in enumerate(alert.channels):
            if name not in channels:
                path = f"alerts.{alert.name}.channels[{number}]"
                raise ConfigError(path, f"no channel {name!r}", nearest_to(name, channels))
    check_alerts_of(settings.alerts)
    keep_seconds(settings)
    _check_numbers(settings)
    if settings.store.telemetry:
        directory_of(settings.store.telemetry)
    _check_state(settings.store.state)
    sources = make_sources(settings.sources)
    for name, source in sources.items():
        if listen := getattr(source, "listen", ""):
            address_of(listen, path=f"sources.{name}.listen")
    return Plugins(
        sources=sources,
        samplers=_samplers(settings),
        channels=channels,
        sinks=make_sinks(settings.sinks),
    )


def load_plugins(file: Path | None) -> tuple[Settings, Plugins]:
    """The settings in a file and what they make; what is wrong is told with the file's name."""
    try:
        settings = load_settings(file)
        return settings, make_plugins(settings)
    except (ConfigError, UnknownPluginError) as problem:
        problem.file = str(file or "")
        raise


def _check_numbers(settings: Settings) -> None:
    for name in _NUMBERED:
        refuse_negative(getattr(settings, name), name)
    if not settings.samplers.interval_s:
        raise ConfigError("samplers.interval_s", "has to be more than nothing")
    address_of(settings.http.listen, path="http.listen")


def make_channel(name: str, table: Mapping[str, Any]) -> Channel:
    """`[channels.pager] kind = "webhook"`; the kind is the name where it is not said."""
    options = {key: value for key, value in table.items() if key != "kind"}
    return CHANNELS.build(str(table.get("kind", name)), options, path=f"channels.{name}")


def _check_state(dsn: str) -> None:
    if not dsn:
        return
    # Imported only then: its engine takes longer than all the rest of a start.
    from qmon_agent.store.state import path_of

    path_of(dsn)


def _samplers(settings: Settings) -> dict[str, Sampler]:
    if not settings.samplers.enabled:
        return {}
    names = settings.samplers.only or SAMPLERS.names()
    return {name: SAMPLERS.build(name, {}, path=f"samplers.{name}") for name in names}


def keep_seconds(settings: Settings) -> dict[str, float]:
    """`[retention] span = "7d"`: kind of signal → for how long."""
    kept: dict[str, float] = {}
    for kind, text in settings.retention.items():
        if kind not in SIGNALS:
            known = nearest_to(kind, SIGNALS) or tuple(SIGNALS)
            raise ConfigError(f"retention.{kind}", "no such kind of signal", known)
        try:
            kept[kind] = parse_duration(text) / SECOND
        except ValueError as problem:
            raise ConfigError(f"retention.{kind}", str(problem)) from None
    return kept
