"""Real `promtool test rules`, asked for values: every expectation is wrong, so it says its own."""

from __future__ import annotations

import json
import re
import subprocess

INTERVAL_S = 15
_ANSWER = re.compile(
    r'^    expr: "(?:\\.|[^"\\])*", time: [^,]+,(?: err: (?P<error>.*)'
    r"|\n        exp:.*\n        got: (?P<got>.*))$",
    re.MULTILINE,
)
_SAMPLE = re.compile(r'\{((?:[^"{}]|"(?:\\.|[^"\\])*")*)\} (\S+?)(?:, (?=\{)|$)')
_PAIR = re.compile(r'([a-zA-Z_]\w*)="((?:\\.|[^"\\])*)"')
_NEVER = [{"labels": "nothing_of_this_name", "value": 1}]


def values(series, questions, folder):
    """For each `(expression, time in s)`: a dict of label pairs to value, or the error's text."""
    file = folder / "questions.json"
    asked = [
        {"expr": expression, "eval_time": f"{time}s", "exp_samples": _NEVER}
        for expression, time in questions
    ]
    test = {"interval": f"{INTERVAL_S}s", "input_series": inputs(series)}
    answers = run(file, [{**test, "promql_expr_test": asked}])
    found = [each["error"] or _samples(each["got"]) for each in _ANSWER.finditer(answers)]
    assert len(questions) == len(found), answers[:2000]
    return found


def run(file, tests, rule_files=()):
    """What it prints."""
    whole = {
        "rule_files": [str(each) for each in rule_files],
        "evaluation_interval": f"{INTERVAL_S}s",
        "tests": tests,
    }
    file.write_text(json.dumps(whole))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout + done.stderr


def inputs(series):
    """Series as it reads them: a text of labels, and a value, None or "stale" for each interval."""
    return [
        {"series": said, "values": " ".join(map(_written, numbers))} for said, numbers in series
    ]


def _written(value):
    if value is None:
        return "_"
    return (
        value if isinstance(value, str) else repr(value).replace("inf", "Inf").replace("nan", "NaN")
    )


def _samples(text):
    if text == "nil":
        return {}
    return {pairs(said): float(value) for said, value in _SAMPLE.findall(text)}


def pairs(text):
    """Labels as they are printed, sorted."""
    return tuple(sorted((name, json.loads(f'"{value}"')) for name, value in _PAIR.findall(text)))
