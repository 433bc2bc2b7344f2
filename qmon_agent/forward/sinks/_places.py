"""Where sinks that speak no HTTP send to, and by which certificates."""

from __future__ import annotations

import ssl

from qmon_agent.domain.errors import ConfigError

_MOST_PORT = 65_535


def host_and_port(option: str, address: str) -> tuple[str, int]:
    """`host:port`, or `[::1]:port`; raises ConfigError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _MOST_PORT:
        raise ConfigError(option, f"{address!r} is no host:port")
    return host.strip("[]"), int(port)


def tls_context(ca_file: str, certificate: str, key: str) -> ssl.SSLContext:
    """Who checks the other side, and says who we are where a certificate is given."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context
