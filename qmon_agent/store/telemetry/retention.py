"""Segments as lots: what `domain.retention` has to know of them, and under which bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from qmon_agent.domain.retention import SPEAKERS, Bound, Lot, Policy

from .manifest import Segment
from .rollups import LISTED
from .schema import TABLES


def lots_of(
    segments: Iterable[Segment], services: Mapping[str, Mapping[str, int]] | None = None
) -> list[Lot]:
    """Each segment as a lot; `services` has the rows of each in some files."""
    known = services or {}
    return [
        Lot(
            name=segment.file,
            kind=LISTED[segment.table].kind,
            bytes=segment.bytes,
            oldest=segment.oldest,
            newest=segment.newest,
            aged_from=_aged_from(segment),
            services=known.get(segment.file, {}),
        )
        for segment in segments
    ]


def with_speakers(policy: Policy) -> Policy:
    """Who spoke is known until the last of what was written with it is gone."""
    whose = ("", *policy.services)
    bounds = [policy.of(kind, service) for kind in TABLES for service in whose]
    ages = [bound.age_ns for bound in bounds if bound.age_ns is not None]
    if len(ages) < len(bounds):
        return policy
    kinds = {**policy.kinds, SPEAKERS: Bound(age_ns=max(ages))}
    return msgspec.structs.replace(policy, kinds=kinds)


def _aged_from(segment: Segment) -> int:
    if LISTED[segment.table].kind == SPEAKERS:
        return segment.written
    return min(segment.newest, segment.written)
