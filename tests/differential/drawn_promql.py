"""Random series and expressions over them, the same for the same seed."""

from __future__ import annotations

import math

STEPS = 40
BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")


class Draw:
    """One world: what there is to ask, and questions."""

    def __init__(self, random):
        self.random = random

    def series(self):
        """Texts of labels, each with a value for each interval."""
        made = [(f'up{{a="{a}"}}', self._gaps([1, 1, 1, 0])) for a in "xyz"]
        for a in "xyz":
            for b in "12":
                if self.random.random() < 0.8:
                    made.append((f'c_total{{a="{a}",b="{b}"}}', self._counter()))
                if self.random.random() < 0.8:
                    made.append((f'g{{a="{a}",b="{b}",d="{a}.{b}"}}', self._gauge()))
            made += self._heap(a)
        made.append(('info{a="x",v="1.2"}', [1] * STEPS))
        made.append(('info{a="y",v="1.3"}', [1] * STEPS))
        made.append(('odd{a="x"}', self._odd()))
        made.append(('odd{a="y"}', self._odd()))
        return made

    def question(self):
        """An expression, and the second it is asked at."""
        time = self.random.choice([*range(0, 700, 15), *range(7, 700, 15)])
        return self.vector(self.random.choice((1, 2, 2, 3))), time

    def vector(self, depth):
        makers = [self._selector] if depth <= 0 else _DEEP
        maker = self.random.choice(makers)
        return maker(self, depth) if maker in _DEEP else maker()

    def scalar(self):
        draw = self.random.random()
        if draw < 0.8:
            return str(self.random.choice([0, 1, 2, 0.5, -1, 3.25, 100, 1e-3]))
        return f"scalar({self._selector()})" if draw < 0.9 else "time()"

    def _selector(self):
        name = self.random.choice(["c_total", "c_total", "g", "g", "up", "info", "odd", "nothing"])
        matchers = self.random.choice(
            [
                "",
                "",
                '{a="x"}',
                '{a!="x"}',
                '{a=~"x|y"}',
                '{a!~"x.*"}',
                '{b="1"}',
                '{b=""}',
                '{a="x",b="2"}',
            ]
        )
        offset = self.random.choice(["", "", "", " offset 1m", " offset 7s"])
        return f"{name}{matchers}{offset}"

    def _range(self):
        name = self.random.choice(["c_total", "c_total", "g", "odd", "up"])
        matchers = self.random.choice(["", "", '{a="x"}', '{a=~"[xy]"}', '{b!="1"}'])
        length = self.random.choice(["30s", "1m", "2m", "5m", "47s", "10m"])
        offset = self.random.choice(["", "", "", " offset 1m"])
        return f"{name}{matchers}[{length}]{offset}"

    def over_range(self, _depth):
        function = self.random.choice(_OVER)
        window = self._range()
        if self.random.random() < 0.1:
            window = f"({self.vector(0)})[2m:{self.random.choice(['', '10s', '30s'])}]"
        if function == "quantile_over_time":
            return f"{function}({self.random.choice(['0.5', '0.9', '-1', '2', '0'])}, {window})"
        if function == "predict_linear":
            return f"{function}({window}, {self.random.choice(['60', '3600'])})"
        return f"{function}({window})"

    def aggregation(self, depth):
        function = self.random.choice(_FOLDS)
        labels = self.random.choice(["a", "b", "a, b", "v", "", "a, d"])
        group = self.random.choice([f" by ({labels})", f" without ({labels})", ""])
        inner = self.vector(depth - 1)
        if function == "quantile":
            return f"quantile{group}({self.random.choice(['0.5', '0.9', '1.1'])}, {inner})"
        if function == "count_values":
            # Of values that are computed, the last digit may be another.
            return f'count_values{group}("n", {self.random.choice(["g", "up", "c_total", "odd"])})'
        return f"{function}{group}({inner})"

    def extremes(self, _depth):
        function, number = self.random.choice(["topk", "bottomk"]), self.random.choice([0, 1, 2, 9])
        group = self.random.choice([" by (b)", " by (a)", ""])
        return f"{function}{group}({number}, g)"

    def with_scalar(self, depth):
        inner, number = self.vector(depth - 1), self.scalar()
        sides = (inner, number) if self.random.random() < 0.7 else (number, inner)
        operator = self._operator()
        return f"({sides[0]} {operator} {sides[1]})"

    def of_vectors(self, depth):
        matching = self.random.choice(
            ["", "", "on(a)", "ignoring(b)", "ignoring(b, d)", "on(a, b)", "on()"]
        )
        if matching and self.random.random() < 0.5:
            side = self.random.choice(["left", "right"])
            matching += f" group_{side}({self.random.choice(['', 'v', 'd'])})"
        if matching == "on(a) group_left(v)" and self.random.random() < 0.5:
            return f"({self.vector(depth - 1)} {self._operator()} {matching} info)"
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        return f"({left} {self._operator()} {matching} {right})"

    def of_sets(self, depth):
        matching = self.random.choice(["", "on(a)", "ignoring(b, d)", "on()"])
        operator = self.random.choice(["and", "or", "unless"])
        return f"({self.vector(depth - 1)} {operator} {matching} {self.vector(depth - 1)})"

    def of_numbers(self, depth):
        function = self.random.choice(_NUMBERS)
        inner = self.vector(depth - 1)
        more = {"clamp": ", -1, 5", "clamp_min": ", 2", "clamp_max": ", 3"}.get(function, "")
        if function == "round":
            more = self.random.choice(["", ", 5", ", 0.1"])
        return f"{function}({inner}{more})"

    def of_labels(self, depth):
        inner = self.vector(depth - 1)
        target, source = self.random.choice("aben"), self.random.choice("abdn")
        if self.random.random() < 0.5:
            return f'label_join({inner}, "{target}", "-", "{source}", "b")'
        pattern = self.random.choice(["(.*)", "(x|y)", r"([a-z])\\.(\\d+)", "x", "", "(?P<q>.).*"])
        text = self.random.choice(["$1", "${1}_", "$2-$1", "", "v$1", "$$", "$q"])
        return f'label_replace({inner}, "{target}", "{text}", "{source}", "{pattern}")'

    def heaps(self, _depth):
        # No share that a bound may be hit with: of rates, the last digit may be another.
        share = self.random.choice(["0.497", "0.903", "0.991", "0", "1", "-0.1", "1.5"])
        inner = self.random.choice(
            [
                "rate(h_bucket[2m])",
                "h_bucket",
                "sum by (le) (rate(h_bucket[5m]))",
                "sum by (a, le) (increase(h_bucket[1m]))",
                'h_bucket{le!="+Inf"}',
                'h_bucket{le=~"0.1|[+]Inf"}',
            ]
        )
        return f"histogram_quantile({share}, {inner})"

    def absences(self, depth):
        inner = self.random.choice(
            [self._selector(), self.vector(depth - 1), 'nothing{a="1",b=~"2"}']
        )
        return self.random.choice(
            [f"absent({inner})", f"absent_over_time({self._range()})", f"vector({self.scalar()})"]
        )

    def times(self, _depth):
        function = self.random.choice(_TIMES)
        inner = self.random.choice(["", f"g * {self.random.choice(['1e5', '1e7', '-1e6'])}"])
        return (
            f"timestamp({self._selector()})" if function == "timestamp" else f"{function}({inner})"
        )

    def negation(self, depth):
        return f"(-{self.vector(depth - 1)})"

    def _operator(self):
        if self.random.random() < 0.5:
            return self.random.choice(["+", "-", "*", "/", "%", "^"])
        return self.random.choice(["==", "!=", ">", "<", ">=", "<="]) + self.random.choice(
            ["", " bool"]
        )

    def _counter(self):
        value, values = float(self.random.randrange(20)), []
        for _ in range(STEPS):
            value = (
                0.0 if self.random.random() < 0.05 else value + self.random.choice([0, 1, 2.5, 10])
            )
            values.append(value)
        return self._holed(values)

    def _gauge(self):
        return self._holed([round(self.random.uniform(-10, 10), 3) for _ in range(STEPS)])

    def _gaps(self, choices):
        return self._holed([self.random.choice(choices) for _ in range(STEPS)])

    def _odd(self):
        choices = [1.0, 0.0, -2.5, math.inf, -math.inf, math.nan, 1e90, None, "stale"]
        return [self.random.choice(choices) for _ in range(STEPS)]

    def _holed(self, values):
        """Some are missing, one by one or many in a row, and some end."""
        holes = self.random.random() < 0.5
        made = [None if holes and self.random.random() < 0.15 else value for value in values]
        if self.random.random() < 0.4:
            start = self.random.randrange(STEPS)
            length = self.random.choice([3, 10, 30])
            made[start : start + length] = [None] * len(made[start : start + length])
            if self.random.random() < 0.5:
                made[start] = "stale"
        return made

    def _heap(self, a):
        below, counts = [0.0] * len(BOUNDS), {bound: [] for bound in BOUNDS}
        for _ in range(STEPS):
            grown = 0
            for place, bound in enumerate(BOUNDS):
                grown += self.random.choice([0, 0, 1, 4])
                below[place] += grown
                counts[bound].append(below[place])
        return [(f'h_bucket{{a="{a}",le="{bound}"}}', counts[bound]) for bound in BOUNDS]


_OVER = (
    *("rate", "rate", "increase", "increase", "delta", "irate", "idelta", "deriv", "changes"),
    *("resets", "predict_linear", "quantile_over_time"),
    *(
        f"{fold}_over_time"
        for fold in ("avg", "min", "max", "sum", "count", "last", "stddev", "stdvar", "present")
    ),
)
_FOLDS = (
    *("sum", "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"),
    *("quantile", "count_values"),
)
_NUMBERS = (
    *("abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "ln", "log2", "log10"),
    *("exp", "sqrt", "sgn", "deg", "rad", "sort", "sort_desc"),
)
_TIMES = (
    *("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month"),
    *("month", "year", "timestamp"),
)
_DEEP = (
    Draw.over_range,
    Draw.over_range,
    Draw.aggregation,
    Draw.aggregation,
    Draw.extremes,
    Draw.with_scalar,
    Draw.with_scalar,
    Draw.of_vectors,
    Draw.of_vectors,
    Draw.of_sets,
    Draw.of_numbers,
    Draw.of_labels,
    Draw.heaps,
    Draw.absences,
    Draw.times,
    Draw.negation,
)
