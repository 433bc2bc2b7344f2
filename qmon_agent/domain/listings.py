"""Whether a thing that scans list is there: new, fixed, or in the newest list no more.

A scan tells what it has found piece by piece, and never that it has told all. So when a later scan
is heard of, what it does not list within some time is there no more.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan tells: of the thing, or with no state only that it has run."""

    at: int
    commit: str = ""
    tool: str = ""
    state: str = ""
    is_bad: bool = False
    """Whether it is bad enough to be told of."""


class Listing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where it stands."""

    is_open: bool = False
    at: int = 0
    """The newest scan that has listed it; with its commit and tool."""
    commit: str = ""
    tool: str = ""
    later: int = 0
    """When a later scan ran that has not listed it yet; 0: none has."""
    due: int = 0
    """From when on it is there no more, unless it is listed till then."""


def sighted(listing: Listing, seen: Sighting, settle_ns: int) -> Listing:
    """After a scan has told of it; what an older scan says comes too late."""
    if seen.at < listing.at:
        return listing
    if seen.state == "fixed":
        # Where one scan finds it in two places, and fixed in one of them, it is there.
        is_elsewhere = seen.at == listing.at and seen.commit == listing.commit
        return listing if is_elsewhere else replace(listing, is_open=False, later=0, due=0)
    is_open = seen.is_bad and (listing.is_open or seen.state == "new")
    after = replace(listing, is_open=is_open, at=seen.at, commit=seen.commit, tool=seen.tool)
    is_of_later = seen.at >= listing.later - settle_ns
    return replace(after, later=0, due=0) if is_of_later or not is_open else after


def scanned(listing: Listing, seen: Sighting, settle_ns: int, *, now: int) -> Listing:
    """After a scan has told of anything: it may be later than the one that listed it."""
    if not listing.is_open or listing.due or seen.at <= listing.at:
        return listing
    if seen.tool and seen.tool != listing.tool:
        return listing  # this tool would not find it anyhow
    if seen.commit == listing.commit and seen.at - listing.at <= settle_ns:
        return listing  # the same scan goes on
    return replace(listing, later=seen.at, due=now + settle_ns + 1)


def time_passed(listing: Listing, now: int) -> Listing:
    """It is there no more when a later scan had the time to list it and did not."""
    if listing.due and now >= listing.due:
        return replace(listing, is_open=False, later=0, due=0)
    return listing
