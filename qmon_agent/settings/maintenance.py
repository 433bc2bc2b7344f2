"""`[[maintenance]]`: work on something, during which nobody is told of it."""

from __future__ import annotations

import msgspec


class MaintenanceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once, by `starts` and `ends`; or at every run of a `schedule`, for as long as it `lasts`."""

    name: str
    """What it is called."""
    matchers: tuple[str, ...]
    """What the alerts are like that it is about: `service="db"`."""
    starts: str = ""
    """When it starts, by the clocks of `zone`: `2026-12-01 20:00`."""
    ends: str = ""
    """When it ends; the moment itself is not in it any more."""
    schedule: str = ""
    """When it starts again and again, as in a crontab: `0 2 * * 0`."""
    lasts: str | float = ""
    """How long each run of the schedule lasts, or the work, where it begins with a failure."""
    within: str | float = ""
    """With this, it begins with the first failure, at most so long after the schedule's run."""
    from_first_failure: bool = False
    """Between `starts` and `ends`: whether it begins with the first failure, and then `lasts`."""
    zone: str = "UTC"
    """The place whose clocks count: `Europe/Berlin`."""
