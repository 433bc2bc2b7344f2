"""Expressions have the values that Prometheus gives them, whatever the series."""

import math
from random import Random

import pytest

from qmon_agent.alerting.promql import Expressions, Settings, Window, evaluate, labels_of
from qmon_agent.alerting.promql.evaluation import Moment
from qmon_agent.alerting.promql.series import STALE
from qmon_agent.alerting.promql.tree import PromqlError

WORLDS, QUESTIONS = {False: 15, True: 200}, 150


def ours(promtool, series, questions):
    """The same questions, of a window that was fed as far as each moment."""
    read = [(Expressions().parse(text), time) for text, time in questions]
    window = Window()
    window.watch([wanted for node, _ in read for wanted in node.walk()])
    for said, values in series:
        name, _, labels = said.partition("{")
        key = labels_of({"__name__": name, **dict(promtool.pairs(labels))})
        for place, value in enumerate(values):
            if value is not None:
                number = STALE if value == "stale" else float(value)
                window.add(key, place * promtool.INTERVAL_S * 1000, number)
    settings = Settings(closed=True, step_ms=promtool.INTERVAL_S * 1000)
    return [answer(node, Moment(window, time * 1000, settings=settings)) for node, time in read]


def answer(node, moment):
    try:
        return {labels.pairs: value for labels, value in evaluate(node, moment).items()}
    except PromqlError as problem:
        return str(problem)


def agree(theirs, mine):
    if isinstance(theirs, str) or isinstance(mine, str):
        return isinstance(theirs, str) and isinstance(mine, str)
    return theirs.keys() == mine.keys() and all(near(theirs[key], mine[key]) for key in theirs)


def near(a, b):
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.timeout(1800)
def test_values_are_those_of_prometheus(promtool, drawn_promql, is_whole, tmp_path):
    differ = []
    for seed in range(WORLDS[is_whole]):
        draw = drawn_promql.Draw(Random(seed))
        series = draw.series()
        questions = [draw.question() for _ in range(QUESTIONS)]
        theirs = promtool.values(series, questions, tmp_path)
        mine = ours(promtool, series, questions)
        both = zip(questions, theirs, mine, strict=True)
        differ += [(seed, *each) for each in both if not agree(*each[1:])]

    assert not differ, f"{len(differ)}: {differ[:5]}"
