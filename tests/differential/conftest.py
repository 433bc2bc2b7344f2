"""What the real tools say, asked for by every test here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest


def _beside(name):
    spec = importlib.util.spec_from_file_location(
        f"differential_{name}", Path(__file__).with_name(f"{name}.py")
    )
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def is_whole():
    """Whether all is tried, as by `nox -s alerts-differential`, or a part that is quick."""
    return os.environ.get("QMON_DIFFERENTIAL") == "all"


@pytest.fixture(scope="session")
def promtool(missing):
    if not shutil.which("promtool"):
        missing("promtool (Debian's package prometheus)")
    return _beside("promtool")


@pytest.fixture(scope="session")
def drawn_promql():
    return _beside("drawn_promql")


@pytest.fixture(scope="session")
def drawn_alerts():
    return _beside("drawn_alerts")
