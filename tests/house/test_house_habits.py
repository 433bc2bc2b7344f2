"""Habits a linter does not know: one address for global state, no mocks, floors that exist."""

from __future__ import annotations

import ast

ADDRESS_OF_THE_CLIENT = "qmon_sdk/client.py"
MOCKS = ("mock", "pytest_mock", "unittest.mock")
PATCHES = {"setattr", "patch"}


class TestGlobalState:
    def test_has_one_address(self, house):
        elsewhere = [
            f"{source.name}:{node.lineno}"
            for source in house
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Global) and source.name != ADDRESS_OF_THE_CLIENT
        ]

        assert not elsewhere


class TestProofs:
    def test_mock_nothing(self, proofs):
        mocking = [source.name for source in proofs if set(MOCKS) & set(imported_by(source))]

        assert not mocking

    def test_patch_nothing_of_ours(self, proofs):
        patched = [f"{source.name}:{line}" for source in proofs for line in patches_in(source)]

        assert not patched

    def test_have_names_of_their_own(self, proofs):
        names = [source.path.name for source in proofs if source.path.name.startswith("test_")]

        assert sorted(set(names)) == sorted(names)


def imported_by(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))


def patches_in(source):
    """Lines that replace something inside our packages while a test runs."""
    ours = names_of_ours(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and is_patch(node.func) and node.args:
            target = ast.unparse(node.args[0]).strip("'\"")
            if target.startswith("qmon_") or target.partition(".")[0] in ours:
                yield node.lineno


def is_patch(called):
    return isinstance(called, ast.Attribute) and called.attr in PATCHES


def names_of_ours(source):
    return {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).startswith("qmon_")
    }
