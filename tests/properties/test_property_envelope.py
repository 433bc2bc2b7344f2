"""Laws of Sentry's envelopes: what is written is read, and nothing else breaks the reader."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.sentry.envelope import EnvelopeError, read_envelope
from qmon_agent.ingest.sentry.items import KINDS, translated

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3)
    ),
    max_leaves=12,
)
HEADERS = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "length"), ANYTHING)
WORDS = (
    *("exception", "values", "stacktrace", "frames", "timestamp", "start_timestamp", "contexts"),
    *("trace", "tags", "user", "request", "breadcrumbs", "spans", "data", "items", "attributes"),
    *("aggregates", "started", "status", "attrs", "level", "discarded_events", "quantity"),
    *("monitor_config", "schedule", "value", "measurements", "message", "exited", "flags"),
)
# The words that translations look for, with anything behind them.
SAID = st.dictionaries(
    st.sampled_from(WORDS),
    st.deferred(lambda: SAID | ANYTHING | st.lists(SAID | ANYTHING, max_size=3)),
    max_size=5,
)


def an_envelope(headers, items):
    lines = [json.dumps(headers).encode()]
    for told, payload in items:
        lines += [json.dumps({**told, "length": len(payload)}).encode(), payload]
    return b"\n".join(lines)


class TestEnvelopes:
    @given(st.lists(st.tuples(st.binary(max_size=50)), max_size=5))
    def test_are_read_as_they_were_written(self, payloads):
        items = [({"type": "x", "strange": [1]}, payload) for (payload,) in payloads]

        read = read_envelope(an_envelope({"unknown": 1}, items))

        assert {"unknown": 1} == read.headers
        assert [payload for _, payload in items] == [item.payload for item in read.items]
        assert all([1] == item.headers["strange"] for item in read.items)

    @given(st.binary(min_size=1, max_size=60), st.integers(min_value=1, max_value=1 << 70))
    def test_that_promise_more_than_there_is_are_refused(self, payload, more):
        header = json.dumps({"type": "x", "length": len(payload) + more}).encode()

        with pytest.raises(EnvelopeError):
            read_envelope(b"{}\n" + header + b"\n" + payload)

    @given(st.binary(max_size=400))
    def test_of_any_bytes_are_read_or_refused(self, body):
        with contextlib.suppress(EnvelopeError):
            read_envelope(body)

    @given(HEADERS, st.sampled_from(sorted(KINDS)), SAID)
    def test_of_any_content_become_signals_that_can_be_written(self, headers, kind, said):
        payload = json.dumps(said).encode()

        parcel, _ = translated(
            an_envelope(headers, [({"type": kind}, payload)]), service="shop", now=1
        )

        assert_can_be_written(parcel)


def assert_can_be_written(parcel):
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.frames import Frame, decode_frame, encode_frame

    for resource, signals in parcel.groups:
        frame = Frame(process=bytes(16), resource=resource, blocks=blocks_of(signals))
        decode_frame(encode_frame(frame))
