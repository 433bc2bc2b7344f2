"""Source is shown when it is certain, and not when it may be wrong."""

from __future__ import annotations

import linecache

import pytest

from qmon_sdk.source_lines import AROUND, MAX_LINE, NOTHING, SourceLines

TEXT = "one = 1\n\n\ndef shop():\n    return 2\n\n\nlast = 3\n"


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "some_shop.py"
    path.write_text(TEXT)
    namespace = {"__name__": "some_shop"}
    exec(compile(TEXT, str(path), "exec"), namespace)
    return path, namespace["shop"].__code__


class TestSourceLines:
    def test_are_those_around_the_line(self, module):
        _, code = module
        lines = SourceLines().around(code, 5, {})
        assert lines.line == "    return 2"
        assert lines.before[-1] == "def shop():"
        assert lines.after == ("", "", "last = 3")

    def test_are_read_again_when_the_file_changed_and_believed_where_it_fits(self, module):
        path, code = module
        sources = SourceLines()
        sources.around(code, 5, {})
        path.write_text(TEXT.replace("return 2", "return 22"))
        assert sources.around(code, 5, {}).line == "    return 22"

    def test_are_not_shown_when_they_are_of_something_else_by_now(self, module):
        path, code = module
        path.write_text("\n" * 30 + TEXT)
        assert SourceLines().around(code, 5, {}) is NOTHING

    def test_are_nothing_when_the_file_is_gone_or_shorter(self, module):
        path, code = module
        assert SourceLines().around(code, 500, {}) is NOTHING
        path.unlink()
        assert SourceLines().around(code, 5, {}) is NOTHING

    def test_are_found_where_a_notebook_keeps_its_cells(self):
        linecache.cache["<cell-1>"] = (len(TEXT), None, TEXT.splitlines(keepends=True), "<cell-1>")
        code = compile("def shop(): pass", "<cell-1>", "exec")
        assert SourceLines().around(code, 1, {}).line == "one = 1"
        del linecache.cache["<cell-1>"]

    def test_are_bounded(self, tmp_path):
        path = tmp_path / "long_lines.py"
        path.write_text(("x" * 1000 + "\n") * 100)
        code = compile("x", str(path), "exec")
        lines = SourceLines().around(code, 50, {})
        assert len(lines.before) == len(lines.after) == AROUND
        assert len(lines.line) == MAX_LINE
