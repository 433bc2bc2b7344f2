"""Signals as lines for people: what matters, and nothing that a terminal would obey."""

from __future__ import annotations

import json

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.cli._signal_lines import lines_of
from qmon_agent.cli._times import when
from qmon_agent.store.telemetry.schema import TABLES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
)
TOLD = ("death.open_spans", "death.memory", "breadcrumbs", "death.evidence", "url.path")
OPEN = [
    {"name": "GET /pay", "span_id": "1", "parent_id": "", "open_ms": 1500, "text": "GET /pay"},
    {"name": "charge", "span_id": "2", "parent_id": "1", "open_ms": 40, "text": ""},
]
DEATH = {
    "death.open_spans": json.dumps(OPEN),
    "death.memory": "[[1, 1048576], [2, 8388608]]",
    "breadcrumbs": '[{"category": "ui", "message": "clicked"}]',
    "death.evidence": "SIGKILL (the kernel); memory limit 8 MiB",
}


def row_of(kind, /, **values):
    """A row as a query answers it."""
    columns = {column.name: column.default for column in TABLES[kind].columns}
    said = {"time": "2026-11-26T10:00:00.123456789Z", "service": "shop"}
    return {"table": TABLES[kind].name, **columns, **said, **values}


def shown(kind, /, **values):
    return "\n".join(lines_of(row_of(kind, **values)))


class TestDeath:
    @pytest.fixture
    def lines(self):
        return shown("error", type="OutOfMemory", message="killed", attributes=DEATH).splitlines()

    def test_shows_the_open_spans_as_a_tree(self, lines):
        assert "    open     GET /pay  1.5 s  GET /pay" in lines
        assert "             └ charge  40 ms" in lines

    def test_shows_memory_as_a_line(self, lines):
        assert "    memory   ▂█ 8 MiB" in lines

    def test_shows_the_last_steps_and_the_evidence(self, lines):
        assert "    steps    ui: clicked" in lines
        assert "    known by SIGKILL (the kernel)" in lines

    @pytest.mark.parametrize(("line", "times"), [(7, 1), (0, 0)])
    def test_shows_the_stack_where_it_is_one_of_calls(self, line, times):
        frames = [{"file": "shop.py", "line": line, "function": "charge"}]
        stack = json.dumps({"chain": [{"frames": frames}]})
        lines = shown("error", type="Aborted", attributes=DEATH, stack=stack).splitlines()

        assert times == lines.count("    stack    shop.py:7 in charge")
        assert times == sum("shop.py" in each for each in lines)


class TestError:
    def test_shows_the_innermost_frames_first(self):
        frames = [{"file": f"{n}.py", "line": n, "function": "f"} for n in range(9)]
        stack = json.dumps({"chain": [{"frames": frames}]})
        told = [
            line for line in shown("error", type="E", stack=stack).splitlines() if ".py" in line
        ]

        assert "    stack    8.py:8 in f" == told[0]
        assert 6 == len(told)


class TestEverySignal:
    @pytest.mark.parametrize("kind", TABLES)
    def test_has_lines(self, kind):
        assert "shop" in shown(kind)

    @pytest.mark.parametrize("kind", TABLES)
    @given(text=st.text(), told=JSON)
    def test_has_nothing_a_terminal_obeys(self, kind, text, told):
        texts = {
            column.name: text for column in TABLES[kind].columns if type(column.default) is str
        }
        attributes = dict.fromkeys(TOLD, json.dumps(told))
        lines = shown(kind, **{**texts, "attributes": {**attributes, text: text}})

        plain = lines.replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert all(char.isprintable() for char in plain.replace("\n", ""))


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2h", 8_000),
        ("1970-01-01", 0),
        ("1970-01-01T01:00", 3_600),
        ("1970-01-01 01:00+01:00", 0),
    ],
)
def test_a_moment_is_so_long_ago_or_a_day_or_a_time(said, at):
    assert at * 10**9 == when("--since", said, now=15_200 * 10**9)


@pytest.mark.parametrize("said", ["2026-13-01", "soon", "2026-"])
def test_what_is_no_moment_is_told_with_its_option(said):
    with pytest.raises(click.UsageError, match="--since: "):
        when("--since", said, now=0)
