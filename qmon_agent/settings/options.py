"""Every section of the configuration file, with its defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from qmon_agent.domain.bounds import Amount, Bytes, Rate, Seconds
from qmon_agent.settings.maintenance import MaintenanceOptions
from qmon_agent.settings.oncall import OncallOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.settings.status_page import StatusPageOptions
from qmon_agent.settings.storm import StormOptions

MIB = 1 << 20
DAY_S = 86_400.0


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section: its fields are its keys, and any other key is an error."""


class Http(Options, frozen=True, kw_only=True):
    """`[http]`: the one public port."""

    listen: str = "127.0.0.1:7690"
    """Address of the port; port 0 picks a free one."""
    hosts: tuple[str, ...] = ()
    """Host names besides the loopback ones and the listening address that may be asked for."""
    public_url: str = ""
    """Where people reach this port, for example `https://qmon.example.org`; with it, messages of
    alerts have links, by which one may acknowledge and mute."""
    link_ttl_s: Seconds = 7 * DAY_S
    """How long such a link works."""
    chart_links: bool = True
    """Whether services that fetch pictures are given addresses of charts; not where they cannot
    reach `public_url`."""
    certificate: str = ""
    """File of the certificate chain; with it, the port speaks TLS."""
    key: str = ""
    """File of the certificate's private key, unless it is in the same file."""
    client_authority: str = ""
    """Certificates a client must be signed by (mutual TLS)."""
    max_body_bytes: Bytes = 16 * MIB
    """The largest body that is taken."""
    body_timeout_s: Seconds = 10.0
    """How long a body may take to arrive."""
    sign_in_ttl_s: Seconds = 600.0
    """How long the one-time sign-in link is valid."""
    session_ttl_s: Seconds = 43_200.0
    """How long a browser stays signed in."""


class Admission(Options, frozen=True, kw_only=True):
    """`[admission]`: what one peer, and all of them together, may ask of the agent."""

    frames_per_s: Rate = 50_000.0
    """Frames of one peer, each second."""
    bytes_per_s: Bytes = 256 * MIB
    """Bytes of one peer, each second."""
    burst_s: Seconds = 2.0
    """How many seconds' worth may come at once."""
    memory_bytes: Bytes = 32 * MIB
    """Bytes of all peers that may wait for the journal."""
    peer_credit_bytes: Bytes = 8 * MIB
    """Bytes one peer may have on the way without an acknowledgement."""
    process_memory_bytes: Annotated[int, Meta(ge=32 * MIB)] = 640 * MIB
    """Resident memory of the main process; a control group that allows less counts instead.
    Near it, senders are told to come later."""


class Cardinality(Options, frozen=True, kw_only=True):
    """`[cardinality]`: how many different series and names may be active at the same time."""

    enabled: bool = True
    """Whether series and names are counted at all."""
    series_per_metric: Amount = 20_000
    """Of one metric of one service: sets of attributes. More go into one overflow series."""
    series_per_service: Amount = 150_000
    """Of all metrics of one service."""
    series_per_peer: Amount = 200_000
    """That one sender has brought in, whatever services it speaks for."""
    series: Amount = 500_000
    """Of the whole agent."""
    span_names: Amount = 5_000
    """Different names of spans of one service; of one sender 4 times, of the agent 20 times."""
    event_names: Amount = 2_000
    """Different names of events, in the same way."""
    forget_after_s: Seconds = 1_800.0
    """A series or name that was not seen for so long makes room for another."""


class JournalSection(Options, frozen=True, kw_only=True):
    """`[journal]`: how much is kept for readers that are behind."""

    max_bytes: Bytes | str = 4_096 * MIB
    """As `4GB`. Beyond this the oldest segments are dropped, and counted, read or not."""
    max_age_s: Seconds = 7 * DAY_S
    """The same for segments older than this."""
    segment_bytes: Annotated[int, Meta(ge=4096)] = 64 * MIB
    """Size at which a new segment is begun."""
    trim_interval_s: Seconds = 10.0
    """How often segments that everybody has read are deleted."""


class Store(Options, frozen=True, kw_only=True):
    """`[store]`: where signals and state are kept; empty means under the state directory."""

    telemetry: str = ""
    """Where signals are kept: `duckdb://DIRECTORY` or `clickhouse://USER@HOST:PORT/DATABASE`."""
    telemetry_password: str = ""
    """The password of ClickHouse's user; better as `${ENV}` or `file:PATH`."""
    state: str = ""
    """Where systems, alerts and incidents are kept, as `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/DATABASE`."""
    state_password: str = ""
    """Password for PostgreSQL; better as `${NAME}` or `file:PATH` than in the DSN."""
    query_timeout_s: Seconds = 30.0
    """How long one query may run."""
    query_rows: Amount = 10_000
    """The most rows one query answers, unless it asks for more."""
    most_rows: dict[Literal["read", "operator", "admin"], Amount] = {}
    """The most rows that a query may ask for, and an export has, by the scope of the token;
    none named: no bound."""
    export_timeout_s: Seconds = 3_600.0
    """How long one export may take."""
    memory: str | int = "350MB"
    """Memory of the process that keeps and asks, as `350MB` or `2GiB`; at least 280MB."""
    disk_bytes: str | int = ""
    """What signals and journal may take on the disk together, as `20GB`; empty: nobody minds."""
    joining: bool = True
    """Whether small segments are joined into larger ones, beside everything else."""
    scrubbing: bool = True
    """Whether every segment is read again once a day, to find bytes that were flipped."""


class Samplers(Options, frozen=True, kw_only=True):
    """`[samplers]`: which readings of this host are taken, and how often."""

    enabled: bool = True
    """Whether this host is measured at all."""
    interval_s: float = 1.0
    """Time between two readings."""
    only: tuple[str, ...] = ()
    """Samplers to run; empty means all of them."""
    agent_interval_s: float = 30.0
    """Time between two readings of the agent itself, kept as service `qmon-agent`; 0: none."""
    options: dict[str, dict[str, Any]] = {}
    """Options of samplers, as `[samplers.options.disk]`; the plug-ins list them."""


class Heartbeat(Options, frozen=True, kw_only=True):
    """`[heartbeat]`: signs of life to somebody who notices when they end."""

    url: str = ""
    """Asked at every beat, as dead man's switches want it; empty means none."""
    method: str = "GET"
    """How it is asked: GET, POST, PUT or HEAD."""
    headers: dict[str, str] = {}
    """Further headers, for example `Authorization`."""
    body: str = ""
    """What is sent along, for example an alert that always fires."""
    monitor: str = ""
    """Name of the check-in kept at every beat, for the agent that `[sinks.native]` sends to."""
    interval_s: float = 30.0
    """Time between two beats."""
    timeout_s: float = 10.0
    """How long whoever is asked may take to answer."""


class AlertOptions(Options, frozen=True, kw_only=True):
    """One `[[alerts]]` table: a threshold on a metric, or a rule by name."""

    name: str
    """What it is called in messages."""
    rule: str = "threshold"
    """Which rule judges; the plug-ins list them."""
    system: str = ""
    """The service it is about."""
    metric: str = ""
    """The metric that `threshold` is compared with."""
    threshold: str | float = ""
    """The line: `> 0.5`, `> 0.5 for 10s`; a bare number means at least."""
    for_: str = msgspec.field(default="", name="for")
    """How long the condition must hold before it fires."""
    keep_firing_for: str = ""
    """How long it goes on firing after the condition has ended."""
    on_unknown: Literal["", "keep", "fire", "resolve"] = ""
    """What becomes of it when nothing is known: `keep` (as if nothing was said), `fire` or
    `resolve`."""
    unknown_for: str = ""
    """How long nothing has to be known before that is done."""
    votes: str = ""
    """How many of the last evaluations have to say so: `3 of 5`."""
    may_miss: str = ""
    """How many of the last evaluations may know nothing before it is unknown: `2 of 5`."""
    flapping_window: str | float = "20m"
    """Over how long its changes are weighed; 0: it never flaps."""
    flapping_high: float = 30.0
    """How many percent of that have to be changes before it flaps."""
    flapping_low: float = 25.0
    """How few, until it does no more."""
    priority: Literal["", "P1", "P2", "P3", "P4", "P5"] = ""
    """How soon somebody should look, beside how bad it is; `P1` is at once."""
    severity: str = ""
    """How bad it is: `info`, `warning`, `error`, `critical`; if nothing is said, as bad as the rule
    is told, or `warning`."""
    description: str = ""
    """Said in the message: what it means and what to do."""
    channels: tuple[str, ...] = ()
    """Who is told: names of sections under `[channels]`."""
    options: dict[str, Any] = {}
    """Further options of the rule."""


class Defaults(Options, frozen=True, kw_only=True):
    """What the agent does without being asked."""

    alerts: bool = True
    """Whether its own quiet alerts are on."""
    off: tuple[str, ...] = ()
    """Names of those that are not."""
    channels: tuple[str, ...] = ()
    """Who is told by them; if nobody is named, they are only listed, or `[routing]` decides."""


class Settings(Options, frozen=True, kw_only=True):
    """The whole file. Plug-in sections stay tables: the plug-in's own fields say what fits."""

    http: Http = Http()
    admission: Admission = Admission()
    cardinality: Cardinality = Cardinality()
    journal: JournalSection = JournalSection()
    store: Store = Store()
    samplers: Samplers = Samplers()
    heartbeat: Heartbeat = Heartbeat()
    sources: dict[str, dict[str, Any]] = {}
    sinks: dict[str, dict[str, Any]] = {}
    channels: dict[str, dict[str, Any]] = {}
    routing: RoutingOptions = RoutingOptions()
    oncall: OncallOptions = OncallOptions()
    maintenance: tuple[MaintenanceOptions, ...] = ()
    storm: StormOptions = StormOptions()
    status_page: StatusPageOptions = StatusPageOptions()
    alerts: tuple[AlertOptions, ...] = ()
    defaults: Defaults = Defaults()
    probes: tuple[dict[str, Any], ...] = ()
    processors: tuple[dict[str, Any], ...] = ()
    tests: tuple[dict[str, Any], ...] = ()
    retention: dict[str, Any] = {}
