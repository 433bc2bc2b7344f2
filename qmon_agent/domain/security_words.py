"""Security events as OWASP's logging vocabulary names them, in events and in lines of a log.

What is behind the name (`authn_login_fail:ann`), an address, and all other text are an attacker's:
of it only what can be read as a name or an address is taken, and never a line as it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Any

import msgspec

_GROUPS = "authn|authz|crypt|excess|input|malicious|privilege|sensitive|sequence|session"
_EVENT = re.compile(
    rf"((?:{_GROUPS}|sys|upload|user)(?:_[a-z0-9]+)+)(?::([^,\s]{{0,200}}))?(?=[,\s]|\Z)"
)
_READ = 8_192
_NAMES = ("event.name", "event")
_USERS = ("user.id", "user.name", "enduser.id", "userid", "user")
_SOURCES = ("source.address", "client.address", "source.ip", "source_ip", "network.peer.address")
_ODD = re.compile(r"[^\w.@+-]", re.ASCII)
_SCRUBBED = "[scrubbed]"
"""What the SDK puts in place of a secret: it is nobody, and not one and the same for all."""
_MOST = 64
_IPV6 = 64
"""An address of version 6 is one of this many bits: who has one has all of them."""


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A security event: its name, and who it was and from where, as far as that is said."""

    name: str
    user: str = ""
    source: str = ""


def named_in(name: str, attributes: Mapping[str, Any], user: str = "") -> Happened | None:
    """What an event of this name is; nothing where it is not of the vocabulary."""
    found = _EVENT.match(name)
    if found is None:
        return None
    named = (user, _first(attributes, _USERS), found[2] or "")
    who = next(filter(_is_said, named), "")
    return Happened(name=found[1], user=tame(who), source=source_of(_first(attributes, _SOURCES)))


def told_in(body: str, attributes: Mapping[str, str]) -> Happened | None:
    """What a line of a log tells: in its attributes, in JSON, or at its beginning."""
    if name := _first(attributes, _NAMES):
        return named_in(name, attributes)
    if body.startswith("{") and '"event' in body:
        said = _json(body)
        name = _first(said, _NAMES)
        return named_in(name, {**said, **attributes}) if name else None
    return named_in(body[:_READ], attributes)


def tame(text: str) -> str:
    """A name without anything that could be taken for markup, a line or a link; bounded."""
    return _ODD.sub("_", text[:_MOST])


def source_of(text: str) -> str:
    """The address as everybody writes it, of version 6 the network it is in; empty for none."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped or IPv6Network((int(address), _IPV6), strict=False))


def _json(body: str) -> dict[str, Any]:
    try:
        said = json.loads(body) if len(body) <= _READ else {}
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = (said.get(name) for name in names)
    return next((each for each in found if isinstance(each, str) and _is_said(each)), "")


def _is_said(text: str) -> bool:
    return bool(text) and _SCRUBBED not in text
