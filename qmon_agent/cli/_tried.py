"""How the tests of a configuration went, for people and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.ingest.expected import Difference
from qmon_agent.ingest.trials import Outcome

_MARGIN = "      "


def tried_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each test, and below it what is not as expected."""
    for outcome in outcomes:
        yield f"{'ok   ' if outcome.passed else 'FAIL '} {outcome.name}"
        for difference in outcome.differences:
            yield from differing_lines(difference, _said)
    failed = sum(not outcome.passed for outcome in outcomes)
    yield f"{len(outcomes)} tests: {len(outcomes) - failed} passed, {failed} failed"


def tried_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "name": outcome.name,
            "ok": outcome.passed,
            "differences": [msgspec.to_builtins(each) for each in outcome.differences],
        }
        for outcome in outcomes
    ]


def differing_lines(
    difference: Difference, said: Callable[[Mapping[str, Any]], str]
) -> Iterator[str]:
    """What is not as expected; `said` puts into words what came, or should have come."""
    for line in _difference(difference, said):
        yield _MARGIN + line


def _difference(difference: Difference, said: Callable[[Mapping[str, Any]], str]) -> Iterator[str]:
    match difference.what:
        case "missing":
            yield f"- {said(difference.expected)}"
            if difference.fields:
                yield f"  nearest: {said(difference.got)}"
        case "unexpected":
            yield f"+ {said(difference.got)}"
        case _:
            yield "dropped:"
    for field, expected, got in difference.fields:
        yield f"  {field}: expected {expected!r}, got {got!r}"


def _said(told: Mapping[str, Any]) -> str:
    """`span name='work' service='shop'`."""
    words: list[str] = []
    for key, value in told.items():
        if isinstance(value, Mapping) and key != "resource":
            inside = [f"{name}={each!r}" for name, each in value.items()]
            words.insert(0, " ".join([key, *inside]))
        else:
            words.append(f"{key}={value!r}")
    return " ".join(words)
