"""Points as time series: what they are called, and which labels tell them apart."""

from __future__ import annotations

from collections.abc import Iterable

from qmon_agent.domain.exposition_names import cleaned, label_in, name_in, with_unit
from qmon_agent.domain.identity import INSTANCE, POD, called, instance_of, is_foreign
from qmon_agent.domain.routing import speaker_of
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Point

Labels = tuple[tuple[str, str], ...]

_OF_SUMMARIES = ("_count", "_sum")


def name_of(frame: Frame, point: Point) -> str:
    """As Prometheus wants names: with the unit, and counters with `_total`.

    Of others, a counter `NAME_count` or `NAME_sum` is what a summary has become, and is called so.
    """
    counts = point.kind == "counter"
    if counts and is_foreign(frame) and point.metric.endswith(_OF_SUMMARIES):
        family, _, part = cleaned(point.metric).rpartition("_")
        return f"{with_unit(family, point.unit)}_{part}"
    return name_in(point)


def labels_of(frame: Frame, point: Point, *, per_process: bool) -> Labels:
    """Sorted, each once, none empty: the attributes, and what Prometheus calls job and instance.

    An attribute of such a name says it better: whoever was scraped is not the host it runs on.
    """
    made: dict[str, str] = {}
    for key, value in sorted(point.attributes.items()):
        label = label_in(key)
        # Two attributes that end up with one name are told side by side.
        made[label] = f"{made[label]};{value}" if label in made else value
    for label, value, aside in _who(frame, per_process=per_process):
        said = made.get(label) or value
        if said != value and aside:
            made.setdefault(aside, value)
        made[label] = said
    return tuple(sorted((label, value) for label, value in made.items() if value))


def _who(frame: Frame, *, per_process: bool) -> Iterable[tuple[str, str, str]]:
    """Labels of all its points, and what those are called where a point says another itself."""
    who = frame.resource
    instance, aside = _instance(frame, per_process=per_process)
    return (
        ("job", who.service, "service"),
        ("instance", instance, aside),
        ("environment", who.environment, ""),
    )


def _instance(frame: Frame, *, per_process: bool) -> tuple[str, str]:
    who, named = frame.resource, called(frame)
    pod, nobody = named.get(POD, ""), speaker_of(frame).hex()
    if not per_process:
        return who.host or pod or nobody, ""
    is_process = named.get(INSTANCE) or ((pod or who.host) and who.pid)
    return instance_of(who, nobody=nobody), "process" if is_process else ""


def key_of(name: str, labels: Labels) -> bytes:
    """Names a series; those of one metric lie side by side."""
    return "\0".join((name, *(f"{label}\1{value}" for label, value in labels))).encode(
        "utf-8", "replace"
    )


def named_by(key: bytes) -> tuple[str, Labels]:
    """The other way."""
    name, *pairs = key.decode().split("\0")
    return name, tuple((label, value) for label, _, value in (p.partition("\1") for p in pairs))


def with_label(labels: Labels, label: str, value: str) -> Labels:
    return tuple(sorted((*labels, (label, value))))


def number(value: float) -> str:
    """As Prometheus writes bounds and values."""
    if value != value:  # noqa: PLR0124 - that is how NaN is known
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.17g}" if value != float(f"{value:.15g}") else f"{value:.15g}"


def escaped(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels as they stand behind a name in a text."""
    return ",".join(f'{label}="{value.translate(_ESCAPED)}"' for label, value in pairs)


_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
