"""The front doors: they import and list, define nothing, and open on what is documented."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

DOORS = {"qmon_sdk": "docs/reference/sdk.md", "qmon_agent": "docs/reference/embedding.md"}
# What may stand in a front door: its sentence, imports, the list, and looking names up late.
FITTINGS = (ast.Import, ast.ImportFrom, ast.Expr, ast.If)
NAMED = re.compile(r"^```\{auto\w+\} (qmon_\w+)\.(\w+)$", re.MULTILINE)


@pytest.mark.parametrize("package", DOORS)
class TestFrontDoor:
    def test_defines_nothing(self, package, root):
        tree = ast.parse((root / package / "__init__.py").read_text(encoding="utf-8"))
        furniture = [ast.unparse(node)[:60] for node in tree.body if not is_fitting(node)]

        assert not furniture

    def test_opens_on_what_is_documented(self, package, root):
        page = (root / DOORS[package]).read_text(encoding="utf-8")
        documented = {name for door, name in NAMED.findall(page) if door == package}

        assert documented == names_behind(package)

    def test_lets_everything_in_that_it_names(self, package):
        door = importlib.import_module(package)

        assert all(hasattr(door, name) for name in names_behind(package))


def is_fitting(node):
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return ast.unparse(target).startswith("_")
    if isinstance(node, ast.FunctionDef):
        return node.name in {"__getattr__", "__dir__"}
    return isinstance(node, FITTINGS)


def names_behind(package):
    """What a front door lists: `__all__`, or else what it imports as itself."""
    door = importlib.import_module(package)
    if hasattr(door, "__all__"):
        return {name for name in door.__all__ if not name.startswith("_")}
    tree = ast.parse(Path(door.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {alias.asname for node in imports for alias in node.names if alias.asname}
