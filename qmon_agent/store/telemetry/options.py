"""What the telemetry store may be told: where it is, what it may use, how long it keeps."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.retention import Policy

from .engines.clickhouse.address import IN_PROCESS, address_of, is_clickhouse
from .engines.clickhouse.address import SCHEMES as CLICKHOUSE

MIB = 1 << 20
MB = 1_000_000
WHOLE_MB = 350
"""Of the worker, with what is said here if nothing else is said."""
LIBRARIES_MB = 166
"""Of these, what Python, Arrow and DuckDB take, and rows on their way to them."""
SCHEMES = ("duckdb", *CLICKHOUSE)


class Batching(msgspec.Struct, frozen=True, kw_only=True):
    """When what was read from the journal is written: large under load, soon when it is quiet."""

    max_bytes: int = 6 * MIB
    interval_s: float = 0.15


class Exporting(msgspec.Struct, frozen=True, kw_only=True):
    """When the hot part is moved into Parquet segments: whichever comes first."""

    rows: int = 1_000_000
    age_s: float = 3_600.0


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """What joining small segments into larger ones may use, and how large those become."""

    is_on: bool = True
    rows: int = 2_000_000
    wide_bytes: int = 48 * MIB
    """The same for rows that are very wide: bytes of all of them, in memory."""
    memory_limit_mb: int = 72
    share: float = 0.2
    """Of one processor, over a while."""
    interval_s: float = 5.0
    """How often it is looked whether there is something to join."""


class Scrubbing(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and how fast, segments are read again to see whether they are what they were."""

    is_on: bool = True
    """If not, only what a question failed at is looked into, and mended."""
    interval_s: float = 86_400.0
    bytes_s: float = 4.0 * MIB


class Rolling(msgspec.Struct, frozen=True, kw_only=True):
    """What rolling up may use, beside everything else."""

    memory_limit_mb: int = 72
    share: float = 0.25
    """Of one processor, over a while."""
    rows_at_once: int = 250_000
    """Of a larger segment some series are rolled up after the others."""


class TelemetryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the store worker needs to know when it starts."""

    directory: str
    journal: str
    address: str = ""
    """`clickhouse://USER@HOST:PORT/DATABASE`; empty: DuckDB in the directory."""
    password: str = ""
    """Of the address's user."""
    memory_limit_mb: int = 112
    threads: int = 1
    nice: int = 5
    restart_waits_s: tuple[float, ...] = (0.05, 0.2, 1.0, 5.0)
    """Before the worker is started again, after so many lives that got nowhere."""
    lock_wait_s: float = 15.0
    """How long the last worker may take to be gone."""
    query_timeout_s: float = 30.0
    query_rows: int = 10_000
    batching: Batching = Batching()
    exporting: Exporting = Exporting()
    policy: Policy = Policy()
    """How much is kept; a kind not named is kept for ever."""
    disk_bytes: int | None = None
    """Of directory and journal together: beyond it the oldest segments go, of whatever kind."""
    joining: Joining = Joining()
    scrubbing: Scrubbing = Scrubbing()
    rolling: Rolling = Rolling()


def with_memory(options: TelemetryOptions, memory: int) -> TelemetryOptions:
    """The same, so that the worker as a whole takes about so many bytes of memory.

    What its libraries take is taken off first. The rest is parted between writing and asking, and
    joining or rolling up: of which never both are done at once, nor either of them while the hot
    part is moved into segments because it is due.
    """
    room = max(memory // MB - LIBRARIES_MB, 1)
    asking = room * options.memory_limit_mb // (WHOLE_MB - LIBRARIES_MB)
    beside = max(room - asking, 1)
    return msgspec.structs.replace(
        options,
        memory_limit_mb=max(asking, 1),
        joining=msgspec.structs.replace(options.joining, memory_limit_mb=beside),
        rolling=msgspec.structs.replace(options.rolling, memory_limit_mb=beside),
    )


def places_of(dsn: str, default: Path) -> tuple[Path, str]:
    """The directory on this machine, and the address of the server where there is one.

    Any address but those of DuckDB and ClickHouse is a ConfigError.
    """
    if not dsn or is_clickhouse(dsn):
        if dsn:
            address_of(dsn)
        return default, dsn
    return directory_of(dsn), ""


def missing_packages(address: str) -> list[ConfigError]:
    """What an address needs that is not installed here; it may be where the agent runs."""
    needed = {"clickhouse_connect": "clickhouse-connect"} if is_clickhouse(address) else {}
    if urlsplit(address).scheme == IN_PROCESS:
        needed |= {"chdb": "chdb"}
    missing = [name for module, name in needed.items() if find_spec(module) is None]
    reason = f"ClickHouse needs: pip install {' '.join(missing)}"
    return [ConfigError("store.telemetry", reason)] if missing else []


def dialect_of(address: str) -> str:
    """Which SQL the store at an address is asked in."""
    return "clickhouse" if is_clickhouse(address) else "duckdb"


def directory_of(dsn: str) -> Path:
    """Where `duckdb://DIR` keeps its files; any other address is a ConfigError."""
    parts = urlsplit(dsn)
    if parts.scheme != SCHEMES[0]:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigError("store.telemetry", f"{dsn!r} does not begin with {known}", SCHEMES)
    directory = parts.netloc + parts.path
    if not directory:
        raise ConfigError("store.telemetry", f"{dsn!r} names no directory")
    return Path(directory).expanduser()
