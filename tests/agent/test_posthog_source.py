"""The door for PostHog's clients: every form of a body, who may enter, what becomes of events."""

from __future__ import annotations

import base64
import gzip
import json
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette

from qmon_agent.http.application import routes_of
from qmon_agent.ingest.loose import NotJsonError
from qmon_agent.ingest.posthog.bodies import BodyError, read_body
from qmon_agent.ingest.posthog.events import Times, signal_of
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol.errors import OversizeError
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.signals import Error

EVENT = {"event": "paid", "distinct_id": "ada", "properties": {"token": "secret", "amount": 1}}
BATCH = json.dumps({"api_key": "secret", "batch": [EVENT]}).encode()
MIB = 1 << 20


def based(body):
    return base64.b64encode(body)


@pytest.fixture
async def posthog(taking):
    source = SOURCES.build("posthog", {"service": "shop"})
    await source.start(taking.door())
    app = Starlette(routes=[*routes_of(source)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client
    await source.stop()


class TestReadBody:
    @pytest.mark.parametrize(
        "body",
        [
            BATCH,
            json.dumps(EVENT).encode(),
            b"  " + json.dumps([EVENT]).encode(),
            gzip.compress(BATCH),
            b"data=" + quote(based(BATCH)).encode(),
            b"data=" + based(BATCH),
            b"data=" + quote(based(gzip.compress(BATCH))).encode(),
            based(BATCH),
        ],
    )
    def test_reads_every_form(self, body):
        read = read_body(body, {}, max_bytes=MIB)

        assert ("secret", [EVENT]) == (read.token, read.events)

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            (b"7", BodyError),
            (b"\x1f\x8bnot", BodyError),
            (gzip.compress(BATCH)[:-9], BodyError),
            (b"data=***", BodyError),
            (b"{", NotJsonError),
            (b'{"a":' * 100_000, NotJsonError),
            (b'["\xff\xfe"]', NotJsonError),
            (gzip.compress(bytes(2 * MIB)), OversizeError),
        ],
    )
    def test_refuses_what_is_none(self, body, problem):
        with pytest.raises(problem):
            read_body(body, {}, max_bytes=MIB)

    def test_finds_nothing_in_nothing(self):
        assert ("", []) == (
            read_body(b" ", {}, max_bytes=1).token,
            read_body(b"", {}, max_bytes=1).events,
        )


class TestEvents:
    def test_happened_when_they_did_by_our_clock(self):
        times = Times("2026-01-01T00:01:00Z", now=10**19 // 10)
        said = {"timestamp": "2026-01-01T00:00:00Z"}

        assert 10**18 - 60 * 10**9 == times.of(said)
        assert 10**18 - 5 * 10**6 == times.of({"offset": 5})

    def test_of_somebody_unknown_have_no_user(self):
        properties = {"$is_identified": False}

        event = signal_of({"event": "x", "distinct_id": "d", "properties": properties}, TIMES)

        assert ("", "d") == (event.user_id, event.anonymous_id)

    def test_that_identify_join_what_came_before(self):
        properties = {"$anon_distinct_id": "before", "$set": {"plan": "pro"}}
        said = {"event": "$identify", "distinct_id": "ada", "properties": properties}

        event = signal_of(said, TIMES)

        assert ("identify", "ada", "before", {"plan": "pro"}) == (
            event.name,
            event.user_id,
            event.anonymous_id,
            event.attributes,
        )

    def test_tell_flags_groups_and_pages_in_our_words(self):
        properties = {"$feature/beta": True, "$groups": {"team": 7}, "$current_url": "http://a/"}

        event = signal_of({"event": "x", "properties": properties}, TIMES)

        assert {"flag.beta": "true", "group.team": "7", "url.full": "http://a/"} == event.attributes

    def test_of_an_exception_are_errors_of_its_fingerprint(self):
        value = {"type": "E", "value": "v", "mechanism": {"handled": False}}
        errors = [
            signal_of(
                {"event": "$exception", "properties": {"$exception_list": [value], **more}}, TIMES
            )
            for more in ({}, {"$exception_fingerprint": "mine"})
        ]

        assert [Error, Error] == [*map(type, errors)]
        assert not errors[0].handled
        assert errors[0].grouping != errors[1].grouping


TIMES = Times(None, now=10**18)


class TestSource:
    async def test_stores_what_is_sent_again_once(self, posthog, taking):
        for moment in (1, 2):
            body = json.loads(BATCH) | {"sent_at": f"2026-01-01T00:00:0{moment}Z"}
            answer = await posthog.post("/batch/", json=body)

        assert (200, {"status": "Ok"}, 1) == (
            answer.status_code,
            answer.json(),
            len(taking.rows()),
        )

    @pytest.mark.parametrize("path", ["/capture/", "/e/?compression=gzip-js", "/i/v0/e/"])
    async def test_takes_events_wherever_clients_send_them(self, posthog, taking, path):
        await posthog.post(path, content=gzip.compress(BATCH))

        assert ["paid"] == [row.name for row in taking.rows()]

    @pytest.mark.parametrize("token", ["wrong", "", None, 7, ["secret"]])
    async def test_lets_nobody_in_without_a_token(self, posthog, taking, token):
        event = {"event": "x"}

        answer = await posthog.post("/batch/", json={"api_key": token, "batch": [event]})

        assert (401, []) == (answer.status_code, taking.rows())

    async def test_counts_what_is_no_event(self, posthog, taking):
        batch = [EVENT, 7, {}, {"event": None}, [EVENT]]

        await posthog.post("/batch/", json={"api_key": "secret", "batch": batch})

        from qmon_agent.ingest.foreign import dropped_of

        frames = [decode_frame(record.payload) for record in taking.records()]
        assert {"event/invalid": 4} == dropped_of(frames[0])
        assert 1 == len(taking.rows())

    async def test_counts_replays(self, posthog, taking):
        await posthog.post("/s/", json=[{"event": "$snapshot", "properties": {"token": "secret"}}])

        assert (1, []) == (len([*taking.records()]), taking.rows())

    @pytest.mark.parametrize("path", ["/flags/?v=2", "/decide/?v=3", "/array/secret/config"])
    async def test_has_no_flags(self, posthog, path):
        answer = await posthog.get(path)

        assert (200, {}, False) == (
            answer.status_code,
            answer.json()["featureFlags"],
            answer.json()["sessionRecording"],
        )

    @pytest.mark.parametrize("body", [b"{", b"\x1f\x8b", b"\xff" * 100])
    async def test_refuses_garbage(self, posthog, taking, body):
        answer = await posthog.post("/batch/", content=body)

        assert (400, []) == (answer.status_code, taking.rows())

    async def test_takes_what_is_nested_as_deep_as_can_be_read(self, posthog, taking):
        deep = '{"a":' * 900 + "1" + "}" * 900
        body = '{"api_key":"secret","batch":[{"event":"x","properties":{"p":' + deep + "}}]}"

        answer = await posthog.post("/batch/", content=body)

        assert answer.status_code in {200, 400}
        assert (200 == answer.status_code) == (1 == len(taking.rows()))
