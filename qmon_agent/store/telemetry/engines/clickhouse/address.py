"""Where a ClickHouse is, read from `clickhouse://USER@HOST:PORT/DATABASE?cluster=NAME`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from qmon_agent.domain.errors import ConfigError

PATH = "store.telemetry"
SERVED, IN_PROCESS = "clickhouse", "chdb"
SCHEMES = (SERVED, IN_PROCESS)
OPTIONS = ("async", "cluster", "secure")
YES = {"yes", "true", "1"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
CLUSTER = re.compile(r"[A-Za-z0-9_.-]+|\{cluster\}")
PLAIN_PORT, SECURE_PORT = 8123, 8443
DATABASE = "qmon"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A server and a database of it; or a folder, for the engine in this process."""

    host: str = ""
    port: int = PLAIN_PORT
    user: str = "default"
    database: str = DATABASE
    cluster: str = ""
    """Tables are replicated and distributed over it; empty: one server."""
    secure: bool = False
    gathers: bool = False
    """The server puts the inserts of many agents together before it writes them."""
    folder: str = ""
    """Of `chdb://FOLDER`: no server at all. A cluster is one of the configuration `FOLDER.xml`."""


def is_clickhouse(dsn: str) -> bool:
    """Say whether this engine answers to the address."""
    return urlsplit(dsn).scheme in SCHEMES


def address_of(dsn: str) -> Address:
    """Read the address; ConfigError if something of it is wrong, or a password stands in it."""
    parts = urlsplit(dsn)
    if parts.scheme == IN_PROCESS:
        return _in_process(dsn)
    if parts.password is not None:
        _wrong(dsn.replace(parts.password, "***"), "has a password: say it as telemetry_password")
    if not parts.hostname:
        _wrong(dsn, "names no host")
    options = _options(dsn, parts.query)
    secure = options.get("secure") in YES
    return Address(
        host=parts.hostname or "",
        port=_port(dsn) or (SECURE_PORT if secure else PLAIN_PORT),
        user=unquote(parts.username or "default"),
        database=_matching(NAME, parts.path.strip("/") or DATABASE, dsn),
        cluster=_cluster(dsn, options),
        secure=secure,
        gathers=_gathers(dsn, options),
    )


def _in_process(dsn: str) -> Address:
    """The engine in this process: nothing of it goes over a network."""
    parts = urlsplit(dsn)
    options, folder = _options(dsn, parts.query), parts.netloc + parts.path
    if not folder:
        _wrong(dsn, "names no folder")
    if "secure" in options:
        _wrong(dsn, f"has `secure`, which is for a server: {SERVED}://HOST")
    return Address(folder=folder, gathers=_gathers(dsn, options), cluster=_cluster(dsn, options))


def _options(dsn: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise ConfigError(PATH, f"{dsn!r} has an unknown option {name!r}", OPTIONS)
    return options


def _cluster(dsn: str, options: Mapping[str, str]) -> str:
    return _matching(CLUSTER, options["cluster"], dsn) if "cluster" in options else ""


def _gathers(dsn: str, options: Mapping[str, str]) -> bool:
    gathers = options.get("async") in YES
    if gathers and options.get("cluster"):
        _wrong(dsn, "has `async` beside `cluster`: names of blocks may be lost between servers")
    return gathers


def _port(dsn: str) -> int:
    try:
        return urlsplit(dsn).port or 0
    except ValueError:
        _wrong(dsn, "has a port that is none")


def _matching(shape: re.Pattern[str], name: str, dsn: str) -> str:
    return name if shape.fullmatch(name) else _wrong(dsn, f"has the name {name!r}, which is none")


def _wrong(dsn: str, what: str) -> NoReturn:
    raise ConfigError(PATH, f"{dsn!r} {what}")
