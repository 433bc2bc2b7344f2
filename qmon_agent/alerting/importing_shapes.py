"""What a configuration of Alertmanager has to look like, before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qmon_agent.domain.errors import ConfigError

Scalar = str | int | float | bool
Tables = list[dict[str, Any]]


class _Matching(msgspec.Struct):
    """Of routes and of rules; Alertmanager reads any scalar as text."""

    match: dict[str, Scalar] | None = None
    match_re: dict[str, Scalar] | None = None
    matchers: list[str] | None = None


class _Route(_Matching):
    receiver: Scalar = ""
    continue_: bool = msgspec.field(default=False, name="continue")
    group_by: list[Scalar] = []
    group_wait: Scalar = ""
    group_interval: Scalar = ""
    repeat_interval: Scalar = ""
    mute_time_intervals: list[Scalar] = []
    active_time_intervals: list[Scalar] = []
    routes: list[_Route] | None = None


class _Rule(msgspec.Struct):
    source_match: dict[str, Scalar] | None = None
    source_match_re: dict[str, Scalar] | None = None
    source_matchers: list[str] | None = None
    target_match: dict[str, Scalar] | None = None
    target_match_re: dict[str, Scalar] | None = None
    target_matchers: list[str] | None = None
    equal: list[Scalar] | None = None


class _When(msgspec.Struct):
    times: list[dict[str, Scalar]] = []
    weekdays: list[Scalar] = []
    days_of_month: list[Scalar] = []
    months: list[Scalar] = []
    years: list[Scalar] = []
    location: Scalar = "UTC"


class _Named(msgspec.Struct):
    name: str


class _Interval(_Named):
    time_intervals: list[_When] | None = None


class _Whole(msgspec.Struct):
    route: _Route
    receivers: list[_Named] | None = None
    inhibit_rules: list[_Rule] | None = None
    time_intervals: list[_Interval] | None = None
    mute_time_intervals: list[_Interval] | None = None
    global_: dict[str, Any] | None = msgspec.field(default=None, name="global")


def check(config: Mapping[str, Any]) -> None:
    """Raise ConfigError, with the place, for what Alertmanager would not read either."""
    _converted(config, _Whole, "")
    for number, receiver in enumerate(config.get("receivers") or ()):
        channels = {key: configs for key, configs in receiver.items() if key != "name"}
        _converted(channels, dict[str, Tables | None], f"receivers[{number}]")
    _check_names(config, "")


def _converted(value: Any, kind: Any, where: str) -> None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$")
        raise ConfigError(f"{where}{at.rstrip('`')}".lstrip("."), reason) from None


def _check_names(value: Any, path: str) -> None:
    """Keys are text all over, and so is every text: YAML also knows halves of characters."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ConfigError(path, f"the key {key!r} is no text")
            _check_names(key, path)
            _check_names(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check_names(inner, f"{path}[{number}]")
    elif isinstance(value, str) and not value.isascii():
        _check_text(value, path)


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(path, "half a character") from None
