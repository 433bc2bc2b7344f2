"""What may be the address under which people reach the agent."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from qmon_agent.domain.errors import ConfigError

_PATH = "http.public_url"
_LONGEST = 200
# What an address is made of; a space or an umlaut would break a link in a text.
_WRITTEN = re.compile(r"[\w.~:/?#\[\]@!$&'()*+,;=%-]*", re.ASCII)


def check_public_url(address: str) -> None:
    """Raise ConfigError unless a path can be put behind it; an empty one is none."""
    if address and (reason := _wrong_with(address)):
        raise ConfigError(_PATH, reason)


def _wrong_with(address: str) -> str:
    if len(address) > _LONGEST:
        return f"is longer than {_LONGEST} characters, which is much for a text message"
    if not _WRITTEN.fullmatch(address):
        return "has a character that no address has"
    try:
        split = urlsplit(address)
        is_port = split.port is None or split.port > 0
    except ValueError:
        return "is no http or https address"
    if split.scheme not in {"http", "https"} or not split.hostname or not is_port:
        return "is no http or https address"
    return _too_much(split, address)


def _too_much(split: SplitResult, address: str) -> str:
    if split.query or split.fragment or "?" in address or "#" in address:
        return "has a query or a fragment, and a path is put behind it"
    if split.username is not None or split.password is not None:
        return "has a user in it, which every receiver of a message would see"
    return ""
