"""The tests that a configuration has of itself: found, and run through its own processors."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qmon_agent.domain.errors import ConfigError, QmonError
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.trials import Outcome, make_trials
from qmon_agent.settings import Settings


def run_tests(settings: Settings, more: Sequence[Path] = ()) -> list[Outcome]:
    """`[[tests]]` of the configuration, and those of further files; raises ConfigError."""
    trials = [*make_trials(settings.tests)]
    for path in more:
        try:
            trials += make_trials(_tables_in(path))
        except QmonError as problem:
            for one in (problem, *problem.others):
                one.file = str(path)
            raise
    # Each through processors of its own: what they remember is of one test alone.
    return [trial.run(make_steps(settings.processors)) for trial in trials]


def _tables_in(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ConfigError("", f"{path}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise ConfigError("", f"{path}: not TOML: {problem}") from None
    tables = content.get("tests", [])
    if {*content} - {"tests"} or not isinstance(tables, list):
        raise ConfigError("", f"{path}: has `[[tests]]` and nothing else")
    return tables
