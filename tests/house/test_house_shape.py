"""The sizes of things: one idea per file, one glance per function."""

from __future__ import annotations

import re
from statistics import median, quantiles

FILE_AIM, FILE_WALL = 300, 400
FUNCTION_WALL = 40
ALLOWED_TO_BE_LONG = frozenset()
SAYS_WHY = re.compile(r"#\s*noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*\s*\W*\s*\w+")
FORBIDDEN = {
    "base",
    "common",
    "core",
    "helper",
    "helpers",
    "manager",
    "misc",
    "stuff",
    "util",
    "utils",
}


class TestFiles:
    def test_are_one_idea(self, house):
        long = {source.name: len(source.lines) for source in house}
        walls = {name: n for name, n in long.items() if n > FILE_WALL}

        assert ALLOWED_TO_BE_LONG == set(walls), walls

    def test_seldom_pass_the_aim(self, house, measured):
        sizes = [len(source.lines) for source in house]
        over = [source.name for source in house if len(source.lines) > FILE_AIM]
        measured["files"] = f"{len(sizes)}, median {median(sizes):.0f} lines, longest {max(sizes)}"
        measured[f"files over {FILE_AIM} lines"] = f"{len(over) / len(sizes):.1%} {over or ''}"

        assert len(over) <= 0.05 * len(sizes), over

    def test_have_names_that_say_something(self, house):
        empty = [
            source.name for source in house if FORBIDDEN & set(source.path.with_suffix("").parts)
        ]

        assert not empty

    def test_open_with_a_sentence(self, house):
        import ast

        silent = [source.name for source in house if not ast.get_docstring(source.tree)]

        assert not silent


class TestFunctions:
    def test_fit_in_a_glance(self, house):
        long = [
            f"{source.name}:{node.lineno} {node.name} ({length_of(node)})"
            for source in house
            for node in source.functions
            if length_of(node) > FUNCTION_WALL and not says_why(source, node)
        ]

        assert not long

    def test_are_mostly_short(self, house, measured):
        lengths = [length_of(node) for source in house for node in source.functions]
        ninth = quantiles(lengths, n=10)[-1]
        measured["functions"] = (
            f"{len(lengths)}, median {median(lengths):.0f}, p90 {ninth:.0f} lines"
        )

        assert median(lengths) <= 8
        assert ninth <= 25


class TestExceptionsToRules:
    def test_say_why(self, house):
        mute = [
            f"{source.name}:{number} {line.strip()}"
            for source in house
            for number, line in enumerate(source.lines, 1)
            if "# noqa" in line and not SAYS_WHY.search(line)
        ]

        assert not mute


def length_of(node):
    """Lines of code between the signature and the end, the docstring left out."""
    body = node.body[1:] if has_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def has_docstring(node):
    first = getattr(node.body[0], "value", None)
    return isinstance(getattr(first, "value", None), str)


def says_why(source, node):
    head = source.lines[node.lineno - 1 : node.body[0].lineno]
    return any(SAYS_WHY.search(line) for line in head)
