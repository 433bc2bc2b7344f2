"""`qmon-agent test-rules`: do the rules fire when they should, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._progress import Progress
from qmon_agent.cli._shown import printable, show_json
from qmon_agent.cli._tried import differing_lines

if TYPE_CHECKING:
    from qmon_agent.app.rule_cases import RuleTests
    from qmon_agent.app.rule_trials import Covered, RuleOutcome


@click.command
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--covered", is_flag=True, help="Fail where a rule fires in no test, too.")
@with_place
def command(*, files: tuple[Path, ...], covered: bool, place: Place) -> int:
    """Run the tests of rules in FILE: what comes in, and every alert that fires.

    An alert that fires and is not listed fails its test. A rule of Prometheus that cannot be run is
    left out, and named; a test that expects it fails. No agent is needed, and none is asked.
    Exit code 1: a test fails. Exit code 3: a file is wrong.
    """
    # Imported here: it brings the rules and the state store.
    from qmon_agent.app.rule_cases import read_rule_tests

    read = [read_rule_tests(file, place.locations.config) for file in files]
    progress = Progress(is_wanted=not place.json)
    ran = [_run(each, progress) for each in read]
    progress.end()
    failed = any(not outcome.passed for outcomes, _ in ran for outcome in outcomes)
    uncovered = any(not each.fires_in for _, rules in ran for each in rules)
    is_well = not failed and not (covered and uncovered)
    if place.json:
        told = [_document(tests, *each) for tests, each in zip(read, ran, strict=True)]
        show_json({"version": 1, "ok": is_well, "files": told})
        return int(not is_well)
    for tests, (outcomes, rules) in zip(read, ran, strict=True):
        for line in (*_lines(tests.file, outcomes, rules), *_left_out(tests)):
            click.echo(line)
    return int(not is_well)


def _run(tests: RuleTests, progress: Progress) -> tuple[list[RuleOutcome], list[Covered]]:
    from qmon_agent.app.rule_trials import coverage, run_case

    outcomes = []
    for number, case in enumerate(tests.cases, 1):
        progress.say(f"{tests.file}: {number} of {len(tests.cases)}: {case.case.name}")
        outcomes.append(run_case(case, tests.alerts))
    return outcomes, coverage(tests.alerts, outcomes)


def _document(
    tests: RuleTests, outcomes: Sequence[RuleOutcome], rules: Sequence[Covered]
) -> dict[str, Any]:
    return {
        "file": str(tests.file),
        "tests": [
            {
                "name": outcome.name,
                "ok": outcome.passed,
                "differences": msgspec.to_builtins(outcome.differences),
                "fired": msgspec.to_builtins(outcome.fired),
            }
            for outcome in outcomes
        ],
        "rules": msgspec.to_builtins(rules),
        "left_out": msgspec.to_builtins(tests.left_out),
    }


def _lines(file: Path, outcomes: Sequence[RuleOutcome], rules: Sequence[Covered]) -> Iterator[str]:
    yield str(file)
    for outcome in outcomes:
        yield f"{'ok   ' if outcome.passed else 'FAIL '} {printable(outcome.name)}"
        if outcome.passed:
            yield from (f"      {_fired(msgspec.structs.asdict(each))}" for each in outcome.fired)
        for difference in outcome.differences:
            yield from differing_lines(difference, _fired)
    failed = sum(not outcome.passed for outcome in outcomes)
    yield f"{len(outcomes)} tests: {len(outcomes) - failed} passed, {failed} failed"
    fire = sum(bool(each.fires_in) for each in rules)
    yield f"{len(rules)} rules: {fire} fire in a test, {len(rules) - fire} do not"
    for each in rules:
        if not each.fires_in:
            why = "" if each.judged_in else ": nothing of what comes in is looked at by it"
            yield f"  not covered: {printable(each.alert)} ({each.rule}){why}"


def _left_out(tests: RuleTests) -> Iterator[str]:
    for each in tests.left_out:
        yield f"  left out: {printable(each.name)} ({each.file}): {printable(each.reason)}"


def _fired(told: Mapping[str, Any]) -> str:
    """`hot fires at 4m, over at 9m, warning, value 7 {room="a"}: it is hot`."""
    words = [str(told["alert"])]
    words += [f"fires at {told['fires']}"] if told.get("fires") not in {None, ""} else ["fires"]
    parts = [" ".join(words)]
    ends = told.get("resolves")
    parts += ["still at the end"] if ends is False else [f"over at {ends}"] if ends else []
    parts += [str(told["severity"])] if told.get("severity") else []
    parts += [f"value {told['value']:.6g}"] if told.get("value") is not None else []
    parts += [f"because {told['reason']}"] if told.get("reason") else []
    parts += [f"unknown {told['unknown']}"] if told.get("unknown") else []
    labels = ", ".join(f'{name}="{text}"' for name, text in (told.get("labels") or {}).items())
    text = f": {told['text']}" if told.get("text") else ""
    return printable(f"{', '.join(parts)}{f' {{{labels}}}' if labels else ''}{text}")
