"""What holds of every expression, and of every window."""

import contextlib
import importlib.util
import math
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.alerting.promql import Expressions, Window, evaluate, labels_of
from qmon_agent.alerting.promql.evaluation import Moment
from qmon_agent.alerting.promql.labels import NAMELESS
from qmon_agent.alerting.promql.series import STALE
from qmon_agent.alerting.promql.templates import Template, TemplateError
from qmon_agent.alerting.promql.tree import PromqlError, UnsupportedError

EVERY_MS = 15_000
TIMES = st.integers(0, 3_600_000)
VALUES = st.floats() | st.just(STALE)
SERIES = st.sampled_from([labels_of({"__name__": "c", "a": a}) for a in "xyz"])
SAMPLES = st.lists(st.tuples(SERIES, TIMES, VALUES), max_size=60)


def beside(folder, name):
    place = Path(__file__).parent.parent / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"law_{name}", place)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn():
    return beside("differential", "drawn_promql")


@pytest.fixture(scope="module")
def promtool():
    return beside("differential", "promtool")


def watching():
    window = Window()
    window.watch(Expressions().parse("max_over_time(c[30m])").walk())
    return window


class World:
    """Random series, and expressions that share what they have in common."""

    def __init__(self, seed, *, drawn, promtool):
        draw = drawn.Draw(Random(seed))
        series = draw.series()
        self.questions = [draw.question() for _ in range(60)]
        expressions = Expressions()
        self.nodes = [expressions.parse(text) for text, _ in self.questions]
        self.window = Window()
        self.window.watch(wanted for node in self.nodes for wanted in node.walk())
        for said, values in series:
            name, _, rest = said.partition("{")
            labels = labels_of({"__name__": name, **dict(promtool.pairs(rest))})
            for place, value in enumerate(values):
                if value is not None:
                    number = STALE if value == "stale" else float(value)
                    self.window.add(labels, place * EVERY_MS, number)

    def value(self, node, time, known=None):
        try:
            return evaluate(node, Moment(self.window, time * 1000, known=known))
        except PromqlError as problem:
            return str(problem)


@pytest.fixture(scope="module", params=range(6))
def world(request, drawn, promtool):
    return World(request.param, drawn=drawn, promtool=promtool)


class TestExpressions:
    def test_without_filters_know_all_that_is_in_their_value(self, world):
        for (text, time), node in zip(world.questions, world.nodes, strict=True):
            value, known = world.value(node, time), world.value(node.certain(), time)
            if "count_values" in text or isinstance(value, str) or isinstance(known, str):
                continue
            names = {labels.cut(NAMELESS) for labels in known}
            assert {labels.cut(NAMELESS) for labels in value} <= names, (text, time)

    def test_have_the_value_they_have_alone(self, world):
        known = {}
        for (text, _), node in zip(world.questions, world.nodes, strict=True):
            alone = world.value(Expressions().parse(text), 300)
            assert same(world.value(node, 300, known), alone), text

    def test_have_the_same_value_after_a_restart(self, world):
        after = Window()
        after.watch(wanted for node in world.nodes for wanted in node.walk())
        after.load(world.window.dump())
        for (text, time), node in zip(world.questions, world.nodes, strict=True):
            before = world.value(node, time)
            if not isinstance(before, str):
                assert same(before, evaluate(node, Moment(after, time * 1000))), text

    def test_need_no_sample_that_is_older_than_they_say(self, world):
        for (text, time), node in zip(world.questions, world.nodes, strict=True):
            before = world.value(node, time)
            reach = max((reach for _, reach in node.walk()), default=0)
            after = Window()
            after.watch(node.walk())
            for series in world.window:
                for at, value in zip(series.times, series.values, strict=True):
                    if at >= time * 1000 - reach:
                        after.add(series.labels, at, value)
            if not isinstance(before, str):
                assert same(before, evaluate(node, Moment(after, time * 1000))), text


def same(one, other):
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return one.keys() == other.keys() and all(
        one[key] == other[key] or (math.isnan(one[key]) and math.isnan(other[key])) for key in one
    )


WORDS = st.lists(
    st.sampled_from(
        [
            *("{{", "}}", "{{-", "-}}", "|", "$value", "$labels.a", ".Value", "printf", "humanize"),
            *(
                '"%.2f"',
                '"%d"',
                '"%',
                '"\\q"',
                "`",
                "humanizeTimestamp",
                "1e400",
                "title",
                " ",
                "x",
            ),
        ]
    ),
    max_size=8,
)
TOKENS = st.lists(
    st.sampled_from(
        [
            *("c", "g", "(", ")", "{", "}", "[", "]", "5m", ":", "1", ",", '"a"', "=", "=~", "a"),
            *(
                "sum",
                "by",
                "rate",
                "on",
                "group_left",
                "and",
                "or",
                "offset",
                "-",
                "bool",
                "@",
                "`",
            ),
            *("label_replace", '"("', "topk", "time", "Inf", "#", "\n", "'", "\\", "é", "\0"),
        ]
    ),
    max_size=14,
)


class TestTexts:
    @given(words=WORDS, value=st.floats())
    def test_of_templates_are_filled_in_or_refused(self, words, value):
        with contextlib.suppress(TemplateError):
            assert isinstance(Template(" ".join(words)).render({"a": "1"}, value), str)

    @given(tokens=TOKENS, glue=st.sampled_from(["", " "]))
    def test_of_expressions_are_read_or_refused(self, tokens, glue):
        with contextlib.suppress(UnsupportedError):
            assert Expressions().parse(glue.join(tokens)).kind


class TestWindows:
    @given(samples=SAMPLES, cut=st.integers(0, 60))
    def test_are_the_same_after_any_restart(self, samples, cut):
        whole, first, second = watching(), watching(), watching()
        for sample in samples:
            whole.put(*sample)
        for sample in samples[:cut]:
            first.put(*sample)
        dumped = first.dump()
        for sample in samples[cut:]:
            first.put(*sample)

        second.load(dumped)
        second.load_fresh(first.dump_fresh())

        assert first.dump_fresh() == second.dump_fresh()
        assert sorted(whole.dump()) == sorted(second.dump())

    @given(samples=SAMPLES, now=TIMES)
    def test_forget_nothing_that_may_be_asked_for(self, samples, now):
        window, tidied = watching(), watching()
        for sample in sorted(samples, key=lambda sample: sample[1]):
            if sample[1] <= now:
                window.add(*sample)
                tidied.add(*sample)
                tidied.tidy(sample[1])
        tidied.tidy(now)

        node = Expressions().parse("count_over_time(c[30m])")
        assert evaluate(node, Moment(window, now)) == evaluate(node, Moment(tidied, now))
