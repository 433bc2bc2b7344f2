"""JSON of strangers: what is of another type, too long, too deep or no number is not there."""

from __future__ import annotations

import json

import pytest

from qmon_agent.ingest.loose import (
    NotJsonError,
    decoded,
    identity,
    labels,
    length,
    moment,
    number,
    text,
    whole,
)


class TestDecoded:
    @pytest.mark.parametrize(
        "data", [b"", b"{", b"\xff", b'"\xc3\x28"', b"[" * 200_000, b'{"a":' * 5_000]
    )
    def test_refuses_what_is_no_json(self, data):
        with pytest.raises(NotJsonError):
            decoded(data)

    def test_takes_half_a_character_and_no_number_as_clients_write_them(self):
        assert ["\ud83d"] == decoded(b'["\\ud83d"]')
        assert str(decoded(b"[NaN]")) == "[nan]"


class TestText:
    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ("a", "a"),
            (None, ""),
            (True, "true"),
            (1.5, "1.5"),
            ({"a": [1]}, '{"a":[1]}'),
            ("\ud83d", "?"),
            ([float("nan"), 1 << 70, "\ud83d"], '[null,"1180591620717411303424","?"]'),
        ],
    )
    def test_is_json_where_it_is_no_text(self, value, written):
        assert written == text(value)

    def test_is_cut(self):
        assert ("xx…", "[1…") == (text("xxxx", 3), text([1] * 1000, 3))

    def test_of_what_is_nested_deep_ends_somewhere(self):
        deep = json.loads("[" * 900 + "]" * 900)

        assert 50 > len(text(deep))


class TestNumbers:
    @pytest.mark.parametrize("value", ["x", None, [], True, "nan", "1e999", "9" * 400, 10**400])
    def test_are_nothing_where_they_are_none(self, value):
        assert (0.0, 0, 0) == (number(value), whole(value), length(value))

    @pytest.mark.parametrize("value", [1e308, -1, 1e12, "1e308", "9" * 40, "10000-01-01"])
    def test_are_no_moments_beyond_the_end_of_time(self, value):
        assert 0 == moment(value)

    @pytest.mark.parametrize("value", [1e308, -1, 1e12])
    def test_are_no_lengths_beyond_the_end_of_time(self, value):
        assert 0 == length(value)

    @pytest.mark.parametrize(
        "value",
        [1767225600.5, "1767225600.5", "2026-01-01T00:00:00.5Z", "2026-01-01T01:00:00.5+01:00"],
    )
    def test_are_moments_in_every_form(self, value):
        assert 1_767_225_600_500_000_000 == moment(value)


class TestLabels:
    def test_are_of_objects_and_of_pairs(self):
        assert {"a": "1"} == labels({"a": 1, "b": None}) == labels([["a", 1], ["b"], 7])

    def test_are_not_too_many(self):
        assert 256 == len(labels({str(n): n for n in range(1000)}))


class TestIdentity:
    def test_is_hexadecimal_without_dashes(self):
        assert ("0190aa", "", "") == (identity("0190-AA"), identity("xyz"), identity(7))
