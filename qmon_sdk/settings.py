"""What `init` was told, completed from the environment and checked."""

from __future__ import annotations

import os

from .detect import Facts, detect
from .protocol.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

MEBIBYTE = 1 << 20


class Settings(Record):
    """The options of one client; every field is an argument of `init` of the same name."""

    service: str = ""
    release: str = ""
    environment: str = "production"
    host: str = ""
    socket: str = ""
    dsn: str = ""
    sample_rate: float = 1.0
    traces_sample_rate: float = 1.0
    traces_sampler: Callable[[Mapping[str, Any]], float] | None = None
    integrations: str | tuple[Any, ...] = "auto"
    propagate_to: tuple[str, ...] = ("*",)
    send_default_pii: bool = False
    include_local_variables: bool = True
    scrub: tuple[str, ...] | dict[str, tuple[str, ...]] | bool = True
    before_send: Callable[..., Any] | None = None
    before_send_span: Callable[..., Any] | None = None
    before_send_log: Callable[..., Any] | None = None
    before_send_metric: Callable[..., Any] | None = None
    on_drop: Callable[[str, str, int], Any] | None = None
    max_buffer_bytes: int = 8 * MEBIBYTE
    max_spool_bytes: int = 64 * MEBIBYTE
    max_value_length: int = 8192
    max_breadcrumbs: int = 100
    cardinality_limit: int = 2000
    log_level: str = "info"
    shutdown_timeout: float = 0.5
    flush_interval_s: float = 0.25
    metric_interval_s: float = 1.0
    spool_dir: str = ""
    flight_dir: str = ""
    debug: bool = False
    enabled: bool = True
    resource: dict[str, str] = {}  # noqa: RUF012


class SettingsError(ValueError):
    """Options of `init` that cannot be: raised under pytest and `debug`, else counted."""


SOURCES = {
    "service": ("QMON_SERVICE", "OTEL_SERVICE_NAME", "DD_SERVICE"),
    "release": ("QMON_RELEASE", "SENTRY_RELEASE", "DD_VERSION"),
    "environment": ("QMON_ENVIRONMENT", "SENTRY_ENVIRONMENT", "DD_ENV"),
    "socket": ("QMON_SOCKET",),
    "dsn": ("QMON_DSN",),
}
"""Option → the variables it is read from, first found first."""

RESOURCE_KEYS = {
    "service.name": "service",
    "service.version": "release",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "host.name": "host",
}
"""Keys of `OTEL_RESOURCE_ATTRIBUTES` that are options of ours."""

_LISTS = ("integrations", "propagate_to", "scrub")
"""Options that may also be a list of names."""

_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
_SCRUB_PARTS = ("keys", "patterns", "allow")
_RATES = ("sample_rate", "traces_sample_rate")
_KNOWN = {field.name: field.default for field in Settings.FIELDS}
_TRUE = ("1", "true", "yes", "on")


def settle(
    given: Mapping[str, Any], *, command: Sequence[str] | None = None
) -> tuple[Settings, list[str]]:
    """Complete what was given: arguments win over `QMON_*`, these over what others define.

    What nobody says is found out about this process, or about the `command` that is to be run. An
    option that cannot be takes its default instead; the second value says so, naming each.
    """
    told = {name: value for name, value in given.items() if value is not None}
    problems = {name: problem for name, value in told.items() if (problem := _problem(name, value))}
    resource = _resource_attributes()
    facts = _detected(command, problems)
    settled: dict[str, Any] = _guessed(facts)
    settled |= {
        option: resource.pop(key) for key, option in RESOURCE_KEYS.items() if key in resource
    }
    settled |= _from_environment(problems)
    settled |= {n: value for n, value in told.items() if n in _KNOWN and n not in problems}
    extra = {name: str(value) for name, value in told.items() if name not in _KNOWN}
    settled["resource"] = {**facts.resource, **resource, **extra, **settled.get("resource", {})}
    settled["enabled"] = settled.get("enabled", True) and not _disabled()
    return Settings(**settled), list(problems.values())


def _problem(name: str, value: Any) -> str:
    """Say what is wrong with one option; empty if nothing is."""
    if name not in _KNOWN:
        return _misspelt(name)
    default = _KNOWN[name]
    if not _fits(name, value, default):
        wanted = "a function" if default is None else type(default).__name__
        return f"{name}: takes {wanted}, not {type(value).__name__}"
    check = _CHECKS.get(name)
    if check is not None:
        return check(value)
    return _out_of_range(name, value) if type(value) in (float, int) else ""


def _way(dsn: str) -> str:
    """Say what is wrong with a way to an agent, and what to write instead; never its token."""
    scheme, colon, rest = dsn.partition(":")
    if not colon:
        return f"dsn: {dsn!r} names no way to an agent; did you mean service={dsn!r}?"
    if scheme not in _SCHEMES:
        from difflib import get_close_matches

        near = get_close_matches(scheme, _SCHEMES, n=1)
        meant = f"; did you mean {near[0]}:?" if near else ""
        return f"dsn: begins with one of {', '.join(_SCHEMES)}, not {scheme!r}{meant}"
    place, _, path = rest.removeprefix("//").partition("/")
    key, _, host = place.rpartition("@")
    is_sentry = scheme in {"http", "https"} and key and path.rpartition("/")[2].isdecimal()
    return _SENTRY.format(host=host) if is_sentry else ""


_SCHEMES = ("unix", "tcp", "tls", "http", "https", "memory")
_SENTRY = (
    "dsn: a DSN of Sentry's form, for {host}; qmon talks to an agent of its own: leave dsn out to "
    "find the one on this machine (or name its socket=), write dsn='https://TOKEN@HOST:7690' for "
    "another; to keep Sentry's calls and their dsn, use qmon_sdk.compat.sentry"
)


def _level(name: str) -> str:
    if name in _LEVELS:
        return ""
    return f"log_level: one of {', '.join(_LEVELS)}, not {name!r}"


def _unclear(scrub: Any) -> str:
    """Say what is wrong with words, or with a table of words and patterns."""
    if isinstance(scrub, bool):
        return ""
    table = scrub if isinstance(scrub, dict) else {"keys": scrub}
    for part, words in table.items():
        if part not in _SCRUB_PARTS:
            return f"scrub: has no part {part!r}; it has {', '.join(_SCRUB_PARTS)}"
        if not isinstance(words, tuple | list) or not all(isinstance(word, str) for word in words):
            return f"scrub: {part} is a list of texts"
    return _wrong_pattern(table.get("patterns", ()))


def _wrong_pattern(patterns: Any) -> str:
    if not patterns:
        return ""
    import re

    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            return f"scrub: {pattern!r} is no pattern: {error}"
    return ""


_CHECKS: dict[str, Callable[[Any], str]] = {
    "dsn": _way,
    "log_level": _level,
    "scrub": _unclear,
}
"""What else is looked at in an option of the right type."""


def _out_of_range(name: str, value: float) -> str:
    if name in _RATES and not 0 <= value <= 1:
        return f"{name}: a share between 0 and 1, not {value}"
    return f"{name}: not below 0, as {value} is" if value < 0 else ""


def _misspelt(name: str) -> str:
    """Tell a misspelt option from what is meant to describe the resource, as other keywords are."""
    from difflib import get_close_matches  # only for keywords that are no options

    near = get_close_matches(name, _KNOWN, n=1, cutoff=0.85)
    return f"{name}: kept as a resource attribute; did you mean {near[0]}?" if near else ""


def _fits(name: str, value: Any, default: Any) -> bool:
    if default is None:
        return callable(value)
    if name in _LISTS and isinstance(value, tuple | list):
        return True
    if name == "scrub" and isinstance(value, dict):
        return True
    wanted = type(default)
    if wanted is bool or isinstance(value, bool):
        return wanted is type(value)
    return isinstance(value, (float, int) if wanted is float else wanted)


def _detected(command: Sequence[str] | None, problems: dict[str, str]) -> Facts:
    """Find out what nobody said; whatever is wrong with the machine, the program starts."""
    try:
        return detect(command)
    except Exception as error:  # noqa: BLE001 - the guard: this is somebody's `init`
        problems["detect"] = f"detect: {type(error).__name__}: {error}"
        return Facts("python")


def _from_environment(problems: dict[str, str]) -> dict[str, str]:
    """Read the options that variables name; one that cannot be is as good as not set."""
    found: dict[str, str] = {}
    for option, names in SOURCES.items():
        value = _first(names)
        if value and (problem := _problem(option, value)):
            problems.setdefault(f"{option} of the environment", f"{problem} (from {names[0]})")
        elif value:
            found[option] = value
    return found


def _guessed(facts: Facts) -> dict[str, str]:
    guessed = {name: getattr(facts, name) for name in ("service", "release", "environment")}
    guessed["host"] = os.uname().nodename if hasattr(os, "uname") else ""
    return {name: value for name, value in guessed.items() if value}


def _first(names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := os.environ.get(name, ""))), "")


def _disabled() -> bool:
    return _first(("QMON_DISABLED", "OTEL_SDK_DISABLED")).lower() in _TRUE


def _resource_attributes() -> dict[str, str]:
    """Read `OTEL_RESOURCE_ATTRIBUTES`: `key=value` pairs between commas, percent-encoded values."""
    text = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {key.strip(): _unquoted(value.strip()) for key, _, value in pairs}


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text)
