"""The stage of the faults: an agent with all its sources, or all its sinks, and what befalls it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections import defaultdict
from pathlib import Path

import pytest

RESULTS = defaultdict(dict)


def _module(name, place=Path(__file__).parent):
    """Import a module beside this one by its place: `tests` is on nobody's path."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, place / f"{name}.py")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


_module("prompb", Path(__file__).parents[2])
_module("peers", Path(__file__).parents[2])
for each in (
    *("storms", "producers", "judges", "foreign_producers", "local_producers", "proxies", "sides"),
):
    _module(each)


@pytest.fixture
def stage_for(tmp_path_factory, missing):
    """Makes stages, and takes them down."""
    for program, package in (("strace", "strace"), ("cc", "gcc")):
        if shutil.which(program) is None:
            missing(f"{program} (apt-get install {package})")
    made = []

    def make(agent):
        stage = _module("storms").Stage(agent, tmp_path_factory.mktemp("stage"))
        made.append(stage)
        if not stage.has_disk:
            missing("the right to mount a file system")
        return stage

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def stage(make_agent, stage_for):
    """One with an agent that has a store."""
    return stage_for(make_agent(options=()))


@pytest.fixture
def results():
    """Keep the verdicts of a fault for the table at the end."""

    def keep(fault, verdicts):
        RESULTS[fault].update(verdicts)

    return keep


def pytest_terminal_summary(terminalreporter):
    """The matrix: plug-in by fault."""
    if RESULTS:
        terminalreporter.section("faults")
        terminalreporter.write_line(_module("matrix").shown(RESULTS))
