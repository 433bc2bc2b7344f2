"""What is installed is what is here: nothing that a package needs stays behind in the tree."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, entry_points, files

import pytest

PACKAGES = ("qmon_sdk", "qmon_agent")
LEFT_BEHIND = ("__pycache__", ".so", "_speedups/")


@pytest.fixture(scope="module")
def installed():
    try:
        return {str(file) for file in files("qmon") or ()}
    except PackageNotFoundError:
        return set()


def test_everything_in_the_packages_is_installed(installed, root, missing):
    if not any(name.endswith("qmon_sdk/client.py") for name in installed):
        missing("an installed qmon, other than in editable mode,")
    here = {
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and not any(part in str(path) for part in LEFT_BEHIND)
    }

    assert here <= installed


def test_the_doors_are_where_they_are_announced(installed, missing):
    if not installed:
        missing("an installed qmon")
    announced = {
        (point.group, point.name): point.value
        for group in ("console_scripts", "pytest11")
        for point in entry_points(group=group)
        if point.name.startswith("qmon")
    }

    assert announced[("console_scripts", "qmon-agent")] == "qmon_agent.cli:main"
    assert announced[("console_scripts", "qmon-run")] == "qmon_sdk.run:main"
    assert announced[("pytest11", "qmon")] == "qmon_sdk.testing"
