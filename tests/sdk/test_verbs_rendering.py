"""Rendering never runs the user's code and never runs away."""

from __future__ import annotations

import datetime as dt
import uuid
from functools import partial
from pathlib import Path

import pytest

from qmon_sdk.rendering import label, render


class Loud:
    """Everything a value can do while somebody looks at it."""

    def __init__(self):
        object.__setattr__(self, "amount", 3)
        object.__setattr__(self, "password", "hunter2")

    def _shout(self, *_):
        raise RuntimeError("the user's code ran")

    __repr__ = __str__ = __format__ = __len__ = __iter__ = __bool__ = __eq__ = __hash__ = _shout
    __getattr__ = __getattribute__ = _shout


class LoudMeta(type):
    def __getattribute__(cls, name):
        raise RuntimeError("the user's code ran")


class Owner(metaclass=LoudMeta):
    pass


class Secretive:
    @property
    def __dict__(self):
        raise RuntimeError("the user's code ran")


class TextOfList(list):
    def __iter__(self):
        raise RuntimeError("the user's code ran")


class TestRender:
    @pytest.mark.parametrize(
        "make",
        [
            Loud,
            lambda: Owner,
            partial(Owner),
            Secretive,
            lambda: TextOfList([1]),
            lambda: [Loud()],
            lambda: {"x": Loud()},
        ],
        ids=range(7),
    )
    def test_never_runs_what_a_value_defines(self, make):
        assert render(make())
        assert label(make())

    def test_shows_plain_attributes_of_strangers(self):
        assert "amount=3" in render(Loud())

    def test_hides_what_stands_under_a_secret_name(self):
        text = render([{"password": "hunter2", "user": Loud()}], hides="password".__eq__)
        assert "hunter2" not in text
        assert "'password': '[scrubbed]'" in text

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a'b", '"a\'b"'),
            (12, "12"),
            (None, "None"),
            ([1, "a", (2,)], "[1, 'a', (2)]"),
            ({"a": [1.5]}, "{'a': [1.5]}"),
            (dt.date(2026, 1, 2), "datetime.date(2026, 1, 2)"),
            (Path("/tmp"), "PosixPath('/tmp')"),
        ],
    )
    def test_reads_as_repr_for_what_is_known(self, value, text):
        assert text == render(value)

    def test_names_the_size_of_an_integer_too_long_to_write(self):
        assert render(1 << 100_000) == "<int of 100001 bits>"

    def test_is_bounded_in_length_breadth_and_depth(self):
        deep = wide = []
        for _ in range(100):
            deep = [deep]
        wide.extend(range(1_000_000))
        assert len(render("x" * 10_000_000, 100)) == 100
        assert len(render(wide, 100)) <= 100
        assert render(deep) == "[[[<list>]]]"

    def test_survives_a_container_that_contains_itself(self):
        ring = {}
        ring["ring"] = ring
        assert render(ring).count("ring") == 3


class TestLabel:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("paid", "paid"),
            (True, "true"),
            (None, ""),
            (1.5, "1.5"),
            (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (["a", 1], "['a', 1]"),
        ],
    )
    def test_is_the_text_a_person_would_write(self, value, text):
        assert text == label(value)
