"""Laws of what the verbs stand on."""

from __future__ import annotations

import json
import math
from string import ascii_lowercase, printable

from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.json_text import quoted, texts
from qmon_sdk.propagation import headers_of
from qmon_sdk.protocol.buckets import ACCURACY, quantile
from qmon_sdk.rendering import label, render
from qmon_sdk.scrub import Scrubber
from qmon_sdk.series import fold, merge
from qmon_sdk.settings import Settings
from qmon_sdk.stacktrace import Stacks
from qmon_sdk.w3c import (
    Member,
    Parent,
    format_baggage,
    format_parent,
    format_states,
    parse_baggage,
    parse_parent,
    parse_states,
)

PARENTS = st.builds(
    lambda trace, span, sampled: Parent(
        trace_id=f"{trace:032x}", span_id=f"{span:016x}", sampled=sampled
    ),
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
)
STATE_VALUES = st.text("".join(set(printable[:95]) - {",", "="}), max_size=20)
STATES = st.dictionaries(
    st.text(ascii_lowercase, min_size=1, max_size=10),
    STATE_VALUES.filter(lambda value: value == value.strip()),
    max_size=32,
).map(lambda states: tuple(states.items()))
MEMBERS = st.lists(
    st.builds(
        lambda key, value: Member(key=key, value=value),
        st.text(ascii_lowercase + "!#$", min_size=1, max_size=10),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    ),
    max_size=20,
).map(tuple)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(10**9), 10**9)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(PARENTS)
def test_a_parent_reads_back_as_it_was_written(parent):
    assert parse_parent(format_parent(parent)) == parent


@given(STATES)
def test_states_read_back_as_they_were_written(states):
    assert parse_states(format_states(states)) == states


@given(MEMBERS)
def test_a_baggage_reads_back_as_it_was_written(members):
    assert parse_baggage(format_baggage(members)) == members


@given(st.text(), st.text(), st.text())
def test_no_header_makes_anything_raise(parent, states, baggage):
    headers = headers_of({"traceparent": parent, "tracestate": states, "baggage": baggage})
    parse_parent(headers["traceparent"])
    again = format_states(parse_states(headers["tracestate"]))
    assert parse_states(again) == parse_states(states)
    again = format_baggage(parse_baggage(headers["baggage"]))
    assert parse_baggage(again) == parse_baggage(baggage)[: len(parse_baggage(again))]


@given(st.lists(NUMBERS, min_size=1), st.integers(0, 100))
def test_the_merge_of_parts_is_the_fold_of_the_whole(values, cut):
    parts = merge([fold(values[:cut]), fold(values[cut:])])
    whole = fold(values)
    assert parts.replace(total=0.0) == whole.replace(total=0.0)
    assert math.isclose(parts.total, whole.total, rel_tol=1e-9, abs_tol=1e-3)


@given(st.lists(st.floats(0.001, 1e9), min_size=1), st.floats(0, 1))
def test_a_quantile_is_within_two_percent(values, q):
    exact = sorted(values)[int(q * (len(values) - 1))]
    told = quantile(fold(values).buckets, q)
    assert math.isclose(told, exact, rel_tol=ACCURACY * 1.001)


@given(st.lists(NUMBERS | st.text() | st.none() | st.booleans() | st.floats()))
def test_every_value_is_counted_or_refused(values):
    part = fold(values)
    assert part.count + part.refused == len(values)
    assert part.count == sum(part.buckets.values())


@given(ANYTHING)
def test_any_value_has_a_bounded_text(value):
    assert len(render(value, 100)) <= 100
    assert len(label(value, 100)) <= 100
    label(value).encode()


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_json_reads_back_as_it_was_written(mapping, text):
    assert json.loads(texts(mapping)) == mapping
    assert json.loads(quoted(text)) == text


@given(ANYTHING, st.lists(st.text()))
def test_the_stack_of_any_exception_is_json(value, notes):
    error = ExceptionGroup("several", [ValueError(value), KeyError(value)])
    for note in notes:
        error.add_note(note)
    settings = Settings()
    stacks = Stacks(settings, Scrubber(settings))
    (link,) = json.loads(stacks.full(error))["chain"]
    assert [member["type"] for member in link["group"]] == ["ValueError", "KeyError"]
