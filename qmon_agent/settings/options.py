"""Every section of the configuration file, with its defaults."""

from __future__ import annotations

from typing import Any

import msgspec

MIB = 1 << 20
DAY_S = 86_400.0


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section: its fields are its keys, and any other key is an error."""


class Http(Options, frozen=True, kw_only=True):
    """`[http]`: the one public port."""

    listen: str = "127.0.0.1:7690"
    hosts: tuple[str, ...] = ()
    """Host names besides the loopback ones and the listening address that may be asked for."""
    max_body_bytes: int = 16 * MIB
    body_timeout_s: float = 10.0
    sign_in_ttl_s: float = 600.0
    session_ttl_s: float = 43_200.0


class Admission(Options, frozen=True, kw_only=True):
    """`[admission]`: what one peer, and all of them together, may ask of the agent."""

    frames_per_s: float = 5_000.0
    bytes_per_s: int = 256 * MIB
    burst_s: float = 2.0
    memory_bytes: int = 64 * MIB
    peer_credit_bytes: int = 8 * MIB


class JournalSection(Options, frozen=True, kw_only=True):
    """`[journal]`: how much is kept for readers that are behind."""

    max_bytes: int = 4_096 * MIB
    max_age_s: float = 7 * DAY_S
    segment_bytes: int = 64 * MIB
    trim_interval_s: float = 10.0


class Store(Options, frozen=True, kw_only=True):
    """`[store]`: where signals and state are kept; empty means under the state directory."""

    telemetry: str = ""
    state: str = ""
    query_timeout_s: float = 30.0
    query_rows: int = 10_000


class Samplers(Options, frozen=True, kw_only=True):
    """`[samplers]`: which readings of this host are taken, and how often."""

    enabled: bool = True
    interval_s: float = 1.0
    only: tuple[str, ...] = ()


class AlertOptions(Options, frozen=True, kw_only=True):
    """One `[[alerts]]` table: a threshold on a metric, or a rule by name."""

    name: str
    rule: str = "threshold"
    system: str = ""
    metric: str = ""
    threshold: str | float = ""
    for_: str = msgspec.field(default="", name="for")
    keep_firing_for: str = ""
    severity: str = "warning"
    description: str = ""
    channels: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class Settings(Options, frozen=True, kw_only=True):
    """The whole file. Plug-in sections stay tables: the plug-in's own fields say what fits."""

    http: Http = Http()
    admission: Admission = Admission()
    journal: JournalSection = JournalSection()
    store: Store = Store()
    samplers: Samplers = Samplers()
    sources: dict[str, dict[str, Any]] = {}
    sinks: dict[str, dict[str, Any]] = {}
    channels: dict[str, dict[str, Any]] = {}
    alerts: tuple[AlertOptions, ...] = ()
    retention: dict[str, str | float] = {}
