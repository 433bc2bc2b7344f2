"""The agent's own numbers in the text format Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qmon_agent.vitals import Labels, Sample, Vitals

_PREFIX = "qmon_agent_"
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def exposition(vitals: Vitals) -> str:
    """Counters and gauges, each name with its type line once."""
    lines = [
        *_family(vitals.counters(), kind="counter", suffix="_total"),
        *_family(vitals.gauges(), kind="gauge", suffix=""),
    ]
    return "\n".join(lines) + "\n"


def _family(samples: Mapping[Sample, float], *, kind: str, suffix: str) -> Iterable[str]:
    before = ""
    for (name, labels), value in sorted(samples.items()):
        full = f"{_PREFIX}{name}{suffix}"
        if name != before:
            yield f"# TYPE {full} {kind}"
            before = name
        yield f"{full}{_labels(labels)} {value:.15g}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in labels) + "}"
