"""The agent's own numbers as Prometheus reads them, in the older text and in OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qmon_agent.http.meanings import help_of
from qmon_agent.vitals import Labels, Sample, Vitals

_PREFIX = "qmon_agent_"
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_OPEN_METRICS = "application/openmetrics-text"


def is_open_metrics(accept: str) -> bool:
    """Whether a scraper asks for the newer form."""
    return _OPEN_METRICS in accept


def media_type(*, modern: bool) -> str:
    if modern:
        return f"{_OPEN_METRICS}; version=1.0.0; charset=utf-8"
    return "text/plain; version=0.0.4; charset=utf-8"


def exposition(vitals: Vitals, *, modern: bool = False) -> str:
    """Counters and gauges, each name with its help and type once."""
    lines = [
        *_families(vitals.counters(), kind="counter", modern=modern),
        *_families(vitals.gauges(), kind="gauge", modern=modern),
    ]
    if modern:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _families(samples: Mapping[Sample, float], *, kind: str, modern: bool) -> Iterator[str]:
    before = ""
    suffix = "_total" if kind == "counter" else ""
    for (name, labels), value in sorted(samples.items()):
        full = f"{_PREFIX}{name}{suffix}"
        if name != before:
            # OpenMetrics names a counter without its ending.
            family = f"{_PREFIX}{name}" if modern else full
            yield f"# HELP {family} {help_of(name)}"
            yield f"# TYPE {family} {kind}"
            before = name
        yield f"{full}{_labels(labels)} {value:.15g}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in labels) + "}"
