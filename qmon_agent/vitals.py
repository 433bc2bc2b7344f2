"""What the agent counts about itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels]


class Vitals:
    """Counters and gauges, by name and labels; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Sample, int] = {}
        self._gauges: dict[Sample, float] = {}

    def add(self, name: str, n: int = 1, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + n

    def gauge(self, name: str, value: float, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._gauges[key] = value

    def gauges_anew(self, name: str, values: Mapping[Labels, float]) -> None:
        """All values of a gauge; those of labels that are not among them are gone."""
        with self._lock:
            self._gauges = {key: old for key, old in self._gauges.items() if key[0] != name}
            self._gauges.update({(name, labels): value for labels, value in values.items()})

    def count(self, name: str, **labels: str) -> int:
        """The sum of a counter over every label set that has these labels."""
        wanted = set(labels.items())
        with self._lock:
            return sum(
                n for (known, own), n in self._counts.items() if known == name and wanted <= {*own}
            )

    def read(self) -> dict[str, float]:
        """Everything, under `name` or `name{label="value"}`."""
        with self._lock:
            samples: dict[Sample, float] = {**self._counts, **self._gauges}
        return {_shown(name, labels): value for (name, labels), value in samples.items()}

    def counters(self) -> Mapping[Sample, int]:
        with self._lock:
            return dict(self._counts)

    def gauges(self) -> Mapping[Sample, float]:
        with self._lock:
            return dict(self._gauges)


def _shown(name: str, labels: Labels) -> str:
    if not labels:
        return name
    inside = ",".join(f'{key}="{value}"' for key, value in labels)
    return f"{name}{{{inside}}}"
