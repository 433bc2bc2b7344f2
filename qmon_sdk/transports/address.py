"""A DSN taken apart, without `urllib`, whose import costs more than sending a thousand frames."""

from __future__ import annotations

from qmon_sdk.protocol.records import Record

_LARGEST_PORT = 65535


class AddressError(ValueError):
    """The DSN makes no sense; the message says which part."""


class Address(Record):
    """`scheme://token@host:port/path`; for `unix://` the path is everything."""

    scheme: str = ""
    token: str = ""
    host: str = ""
    port: int = 0  # 0 = the scheme's own default
    path: str = ""

    @classmethod
    def parse(cls, dsn: str) -> Address:
        """Take a DSN apart; raises `AddressError`."""
        scheme, colon, rest = dsn.strip().partition(":")
        if not colon:
            raise AddressError("no scheme; write for example unix:///run/qmon/agent.sock")
        scheme, rest = scheme.lower(), rest.removeprefix("//")
        if scheme in ("unix", "memory"):
            return cls(scheme=scheme, path=rest)
        place, slash, path = rest.partition("/")
        token, _, place = place.rpartition("@")
        token, _, _ = token.partition(":")
        host, port = _host_and_port(place)
        return cls(scheme=scheme, token=token, host=host, port=port, path=slash + path)


def _host_and_port(place: str) -> tuple[str, int]:
    """Split `host:port`, `[::1]:port` and bare hosts."""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if not host:
        raise AddressError("no host")
    if port and not (port.isdecimal() and int(port) <= _LARGEST_PORT):
        raise AddressError(f"port {port!r} is no number up to {_LARGEST_PORT}")
    return host, int(port or 0)
