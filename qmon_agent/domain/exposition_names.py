"""What metrics and attributes are called where Prometheus's own names are wanted."""

from __future__ import annotations

import re

from qmon_sdk.protocol.signals import Point

_NO_NAME = re.compile(r"[^a-zA-Z0-9_:]")
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_UNITS = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "min": "minutes",
    "h": "hours",
    "d": "days",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "%": "percent",
    "Cel": "celsius",
}


def name_in(point: Point) -> str:
    """With the unit, and counters with `_total`."""
    name = with_unit(cleaned(point.metric), point.unit)
    return name if point.kind != "counter" or name.endswith("_total") else f"{name}_total"


def cleaned(metric: str) -> str:
    """Of the letters that Prometheus takes."""
    name = _NO_NAME.sub("_", metric) or "_"
    return f"_{name}" if name[0].isdigit() else name


def likely_names(metric: str) -> tuple[str, ...]:
    """Those it may be asked for by, where its kind and unit are not known."""
    name = cleaned(metric)
    return (metric, name, *(f"{name}_{end}" for end in ("total", "count", "sum", "bucket")))


def with_unit(name: str, unit: str) -> str:
    """The unit behind a name that does not say it already."""
    said = _UNITS.get(unit, "")
    plain = name.removesuffix("_total")
    return f"{plain}_{said}" if said and not plain.endswith(f"_{said}") else name


def label_in(key: str) -> str:
    """The label that an attribute becomes."""
    label = _NO_LABEL.sub("_", key)
    if not label or label[0].isdigit():
        label = f"_{label}"
    # What begins with two underscores is Prometheus's own.
    return f"key{label}" if label.startswith("__") else label
