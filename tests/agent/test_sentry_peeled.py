"""Events read one field at a time say what events read whole say."""

from __future__ import annotations

import json

import pytest

from qmon_agent.ingest.loose import NotJsonError, decoded, text
from qmon_agent.ingest.sentry.events import keep_event
from qmon_agent.ingest.sentry.gathered import Gathered
from qmon_agent.ingest.sentry.items import translated
from qmon_agent.ingest.sentry.peeled import Peeled, peel

STEP = {"timestamp": "2026-11-26T17:02:12Z", "message": "asked", "data": {"id": 7}}
ODD_CRUMBS = {
    "held": {"values": [STEP, STEP]},
    "bare": [STEP, {**STEP, "message": "then"}],
    "many": [{**STEP, "message": f"step {n}"} for n in range(130)],
    "not only objects": [STEP, 3, None, [STEP], "step"],
    "no list": {"values": STEP},
    "nothing": None,
    "a text": "steps",
    "long": [{**STEP, "message": "x" * 5000}],
    "half a character": [{**STEP, "message": "\ud83d"}],
    "not a number": [{**STEP, "data": {"n": float("nan")}}],
    "huge numbers": [{**STEP, "data": {"n": [2**63, 10**25, -(2**70)]}}],
    "nested": [{**STEP, "data": {"n": json.loads("[" * 30 + "]" * 30)}}],
}


def kept_of(said):
    gathered = Gathered({}, service="shop", now=1)
    keep_event(said, gathered)
    return gathered.groups


class TestPeeled:
    @pytest.mark.parametrize("crumbs", ODD_CRUMBS.values(), ids=ODD_CRUMBS)
    def test_says_of_breadcrumbs_what_a_whole_reading_says(self, crumbs):
        event = {"message": "off", "breadcrumbs": crumbs, "modules": {"a": "1"}}
        said = json.dumps(event).encode()

        assert kept_of(decoded(said)) == kept_of(peel(said))

    def test_finds_what_is_there_and_nothing_else(self):
        peeled = peel(b'{"level":"info","level":"error","tags":[["a","b"]]}')

        assert {"level": "error", "tags": [["a", "b"]]} == dict(peeled)
        assert peeled.get("user") is None

    @pytest.mark.parametrize("said", [b"[]", b"3", b'"text"', b"null"])
    def test_leaves_what_is_no_object_as_it_is(self, said):
        assert not isinstance(peel(said), Peeled)
        assert decoded(said) == peel(said)

    @pytest.mark.parametrize("said", [b"", b"{", b'{"a":}', b'{"a":1}}', b"\xff"])
    def test_refuses_what_is_no_json(self, said):
        with pytest.raises(NotJsonError):
            peel(said)

    def test_counts_an_event_that_cannot_be_read_where_it_matters(self):
        event = b'{"message":"\xff"}'
        body = b'{}\n{"type":"event","length":%d}\n%s\n' % (len(event), event)

        parcel, gathered = translated(body, service="shop", now=1)

        assert {"error/invalid": 1} == gathered.dropped
        assert () == parcel.groups


class TestText:
    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ({"n": 2**63}, '{"n":"9223372036854775808"}'),
            ({"n": 2**63 - 1}, '{"n":9223372036854775807}'),
            ({"n": float("inf")}, '{"n":null}'),
            (["\ud83d"], '["?"]'),
            (json.loads("[" * 25 + "]" * 25), "[" * 20 + '"…"' + "]" * 20),
        ],
    )
    def test_writes_containers_as_any_reader_of_json_can_read(self, value, written):
        assert written == text(value)
