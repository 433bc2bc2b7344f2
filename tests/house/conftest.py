"""The house as data: every source file of both packages, parsed once."""

from __future__ import annotations

import ast
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("qmon_sdk", "qmon_agent")
MEASURED = {}


class Source:
    """One file of the house."""

    def __init__(self, path):
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf-8")

    @cached_property
    def tree(self):
        return ast.parse(self.text, self.name)

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def functions(self):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]

    def __repr__(self):
        return self.name


def sources_under(*folders):
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [Source(path) for path in found]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def house():
    """Every file of the two packages."""
    return sources_under(*PACKAGES)


@pytest.fixture(scope="session")
def proofs():
    """Every test file."""
    return sources_under("tests")


@pytest.fixture(scope="session")
def measured():
    """Where a test puts a figure that should be read, not asserted."""
    return MEASURED


def pytest_terminal_summary(terminalreporter):
    if MEASURED:
        terminalreporter.section("shape of the house")
        for name, figure in MEASURED.items():
            terminalreporter.line(f"{name}: {figure}")
