"""Breadcrumbs, as `add_breadcrumb` writes ours; one that comes again is not read again.

A client sends its last hundred with every error: of those of the next error most are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from qmon_agent.ingest.loose import as_json, decoded, labels, mapping, mappings, moment, name, text

from .peeled import Peeled

MOST_CRUMBS = 100
_KNOWN, _KNOWN_BYTES = 1024, 1024  # remembered, of those that are no longer


class _Values(msgspec.Struct, frozen=True):
    values: list[msgspec.Raw]


_HELD = msgspec.json.Decoder(_Values)
_BARE = msgspec.json.Decoder(list[msgspec.Raw])


def crumbs_of(said: Mapping[str, Any]) -> str:
    """Write the breadcrumbs of an event as JSON; nothing where there are none."""
    raws = _raws(said) if isinstance(said, Peeled) else None
    if raws is None:
        return _read(said.get("breadcrumbs"))
    objects = [raw for raw in map(bytes, raws) if raw[:1] == b"{"][-MOST_CRUMBS:]
    are_short = max(map(len, objects), default=0) <= _KNOWN_BYTES
    return _joined([*map(_known if are_short else _anew, objects)])


def _raws(said: Peeled) -> list[msgspec.Raw] | None:
    """One by one as they came; nothing where they are in no list that could be cut."""
    raw = said.raw("breadcrumbs")
    if raw is None:
        return None
    try:
        return _BARE.decode(raw) if bytes(raw).startswith(b"[") else _HELD.decode(raw).values
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read(said: Any) -> str:
    values = mapping(said).get("values") if isinstance(said, dict) else said
    return _joined([_written(crumb) for crumb in [*mappings(values)][-MOST_CRUMBS:]])


def _joined(written: list[str]) -> str:
    return f"[{','.join(written)}]" if written else ""


def _anew(raw: bytes) -> str:
    return _known(raw) if len(raw) <= _KNOWN_BYTES else _written(decoded(raw))


@lru_cache(_KNOWN)
def _known(raw: bytes) -> str:
    return _written(decoded(raw))


def _written(crumb: Mapping[str, Any]) -> str:
    told = {
        "time": moment(crumb.get("timestamp")),
        "message": text(crumb.get("message"), 2048),
        "category": name(crumb.get("category")),
        "level": name(crumb.get("level")),
        "type": name(crumb.get("type")),
    }
    if data := labels(crumb.get("data")):
        told["data"] = data
    return as_json(told)
