"""`[oncall]`: who can be called, and whose turn it is."""

from __future__ import annotations

from typing import Literal

import msgspec


class RotationOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People in turn."""

    people: tuple[str, ...]
    """Names under `[oncall.people]`, in their order."""
    starts: str
    """The day of the first turn: `2026-01-05`."""
    at: str = "00:00"
    """The time of day at which turns change."""
    turn: Literal["hours", "days", "weeks"] = "weeks"
    """What a turn is counted in."""
    length: int = 1
    """How many of them a turn lasts."""
    zone: str = "UTC"
    """The place whose clocks count."""
    only: tuple[str, ...] = ()
    """Names of `[routing.time_intervals]` in which alone it counts; empty: always."""


class OverrideOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody in place of whoever had the turn."""

    person: str
    """Who."""
    starts: str
    """From when: `2026-12-24 09:00`."""
    ends: str
    """Until when."""
    zone: str = "UTC"
    """The place whose clocks count."""


class DutyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One schedule; later layers cover earlier ones, and overrides all."""

    layers: tuple[RotationOptions, ...]
    """Rotations, as `[[oncall.schedules.NAME.layers]]`."""
    overrides: tuple[OverrideOptions, ...] = ()
    """Exceptions, as `[[oncall.schedules.NAME.overrides]]`."""


class OncallOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People and schedules."""

    people: dict[str, tuple[str, ...]] = {}
    """The channels of each person, the names of sections under `[channels]`."""
    schedules: dict[str, DutyOptions] = {}
    """Schedules by name; receivers name them in `oncall`."""
