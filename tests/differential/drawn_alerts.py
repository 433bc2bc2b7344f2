"""Random alert rules over random series, the same for the same seed."""

from __future__ import annotations

STEPS = 20
"""Less than the five minutes that samples hold, and no range ends on a sample: there, versions
of Prometheus differ."""
ALERTS = 6
_EXPRESSIONS = (
    "g > 2",
    "g < 0 or c > 10",
    "changes(c[70s]) > 1",
    "sum by (a) (g) > 3",
    "g > on(a) group_left() h",
    "absent(g)",
    'absent(c{a="x"})',
    "max_over_time(g[50s]) > 4 and on(a) h > 0",
    "g unless on(a) h > 1",
    "count(g > 1) >= 2",
    "topk(1, g)",
    "c + on(a, b) g > 5",
)
_TEXTS = (
    "{{ $labels.a }}: {{ $value }}",
    "{{ $value | humanize }} {{ $value | humanize1024 }}",
    "{{ humanizeDuration $value }}{{ $value | humanizePercentage }}",
    '{{ printf "%.2f of %v" $value $labels.b }} {{- " x" }}',
    "{{ $labels.none }}{{ $labels.a | toUpper | title }}",
    "nothing at all",
)


class DrawAlerts:
    """One rule file, and the series it is about."""

    def __init__(self, random):
        self.random = random

    def rules(self):
        """`ALERTS` of them, named by numbers."""
        return [self._rule(number) for number in range(ALERTS)]

    def _rule(self, number):
        draw = self.random.choice
        rule = {
            "alert": f"A{number}",
            "expr": draw(_EXPRESSIONS),
            "for": draw(["0s", "15s", "30s", "1m"]),
            "keep_firing_for": draw(["0s", "0s", "15s", "45s"]),
            "annotations": {"summary": draw(_TEXTS)},
        }
        if draw([True, False]):
            rule["labels"] = {"team": "{{ $labels.a }}", "tier": draw(["", "own"])}
        return rule

    def series(self):
        return [
            (f'{name}{{a="{a}",b="{b}",job="shop"}}', self._values(name))
            for name, b in (("g", "1"), ("g", "2"), ("c", "1"), ("h", "1"))
            for a in "xy"
            if self.random.random() < 0.8
        ]

    def _values(self, name):
        value, values = 0.0, []
        while len(values) < STEPS:
            length = self.random.choice([1, 1, 2, 5])
            drawn = round(
                self.random.choice([1, 1, 1e3, 1e7, 1e-5]) * self.random.uniform(-3, 8), 6
            )
            if self.random.random() < 0.12:
                length, drawn = self.random.choice([1, 4, 15]), None
            for _ in range(length):
                value = (
                    0.0 if self.random.random() < 0.05 else value + self.random.choice([0, 1, 3])
                )
                values.append(None if drawn is None else value if name == "c" else drawn)
        return values[:STEPS]
