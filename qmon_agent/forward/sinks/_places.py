"""Where sinks that speak no HTTP send to."""

from __future__ import annotations

from qmon_agent.domain.errors import ConfigError

_MOST_PORT = 65_535


def host_and_port(option: str, address: str) -> tuple[str, int]:
    """`host:port`, or `[::1]:port`; raises ConfigError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _MOST_PORT:
        raise ConfigError(option, f"{address!r} is no host:port")
    return host.strip("[]"), int(port)
