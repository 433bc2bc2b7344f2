"""The door for Sentry's clients: who may enter, how packed, what they are told."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from qmon_agent.ingest.packings import known_packings
from qmon_agent.ingest.sources import SOURCES
from qmon_agent.settings import Admission as AdmissionOptions
from qmon_sdk.protocol.frames import decode_frame

EVENT = json.dumps({"message": "m", "event_id": "ab" * 16}).encode()
AUTH = {"x-sentry-auth": "Sentry sentry_version=7, sentry_key=secret, sentry_client=x/1"}
PATH = "/api/42/envelope/"


def an_envelope(*items, **headers):
    lines = [json.dumps({"event_id": "cd" * 16, **headers}).encode()]
    for kind, payload in items or [("event", EVENT)]:
        lines += [json.dumps({"type": kind, "length": len(payload)}).encode(), payload]
    return b"\n".join(lines)


def a_route(source):
    """The source as the agent mounts it, without the gate."""
    from starlette.applications import Starlette

    from qmon_agent.http.application import routes_of

    return Starlette(routes=[*routes_of(source)])


@pytest.fixture
async def sentry(taking):
    source = SOURCES.build("sentry", {"projects": {"42": "shop"}})
    await source.start(taking.door())
    transport = httpx.ASGITransport(a_route(source))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client
    await source.stop()


class TestKeys:
    @pytest.mark.parametrize(
        ("headers", "query", "inside"),
        [
            (AUTH, "", {}),
            ({}, "?sentry_key=secret&sentry_version=7", {}),
            ({}, "", {"dsn": "https://secret@any.example/42"}),
        ],
    )
    async def test_are_found_where_clients_put_them(self, sentry, taking, headers, query, inside):
        answer = await sentry.post(PATH + query, content=an_envelope(**inside), headers=headers)

        assert (200, {"id": "cd" * 16}) == (answer.status_code, answer.json())
        assert ["m"] == [row.message for row in taking.rows()]

    @pytest.mark.parametrize(
        ("headers", "query", "inside"),
        [
            ({}, "", {}),
            ({"x-sentry-auth": "Sentry sentry_key=wrong"}, "", {"dsn": "https://secret@h/42"}),
            ({}, "?sentry_key=wrong", {}),
            ({}, "", {"dsn": 7}),
            ({}, "", {"dsn": "http://[/"}),
        ],
    )
    async def test_that_are_wrong_let_nobody_in(self, sentry, taking, headers, query, inside):
        answer = await sentry.post(PATH + query, content=an_envelope(**inside), headers=headers)

        assert (403, []) == (answer.status_code, taking.rows())
        assert answer.headers["x-sentry-error"]


class TestEnvelopes:
    async def test_sent_again_are_stored_once(self, sentry, taking):
        for moment in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:30Z"):
            answer = await sentry.post(PATH, content=an_envelope(sent_at=moment), headers=AUTH)

        assert (200, 1) == (answer.status_code, len(taking.rows()))

    async def test_that_lie_are_refused_and_kept_to_look_at(self, sentry, taking):
        answer = await sentry.post(PATH, content=an_envelope()[:-3], headers=AUTH)

        assert (400, True) == (answer.status_code, "length" in answer.json()["detail"])
        assert 1 == taking.vitals.count("bodies_rejected", reason="envelope")

    async def test_are_stored_under_the_service_of_their_project(self, sentry, taking):
        for project in (42, 43):
            await sentry.post(f"/api/{project}/store/", content=EVENT, headers=AUTH)

        services = [decode_frame(record.payload).resource.service for record in taking.records()]
        assert ["shop", "project-43"] == services

    async def test_larger_than_a_moment_are_read_off_the_loop(self, sentry, taking):
        line = json.dumps({"items": [{"body": "x" * 1000}] * 200}).encode()

        await sentry.post(PATH, content=an_envelope(("log", line)), headers=AUTH)

        assert 200 == len(taking.rows())

    async def test_count_what_is_not_kept(self, sentry, taking):
        await sentry.post(PATH, content=an_envelope(("attachment", b"\0")), headers=AUTH)

        assert 1 == taking.vitals.count("sentry_dropped", kind="attachment", reason="not_kept")


class TestAnAgentThatIsBusy:
    @pytest.fixture
    def admission_options(self):
        return AdmissionOptions(memory_bytes=0)

    async def test_asks_for_silence_in_the_clients_own_words(self, sentry):
        answer = await sentry.post(PATH, content=an_envelope(), headers=AUTH)

        assert (429, "1", "1::organization") == (
            answer.status_code,
            answer.headers["retry-after"],
            answer.headers["x-sentry-rate-limits"],
        )


class TestTheGate:
    async def test_lets_pages_of_other_origins_send(self, agent):
        made = await agent.desk.create_token("ingest", name="", ttl_s=60)
        query, origin = f"?sentry_key={made['token']}", {"origin": "https://shop.example"}
        asks = {**origin, "access-control-request-method": "POST"}
        async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:
            may = await client.options(PATH + query, headers=asks)
            sent = await client.post(PATH + query, headers=origin, content=an_envelope())

        assert (204, 200) == (may.status_code, sent.status_code)
        assert "*" == sent.headers["access-control-allow-origin"]

    @pytest.mark.parametrize("packing", ["gzip", "br", "zstd", "x"])
    async def test_takes_it_packed(self, agent, packing):
        made = await agent.desk.create_token("ingest", name="", ttl_s=60)
        body = packed(an_envelope(), packing)
        headers = {"x-sentry-auth": f"sentry_key={made['token']}", "content-encoding": packing}
        async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:
            answer = await client.post(PATH, headers=headers, content=body)

        known = packing in {"gzip", *known_packings()}
        assert (200 if known else 415) == answer.status_code


def packed(body, packing):
    if packing == "gzip":
        return gzip.compress(body)
    if packing not in known_packings():
        return body
    if packing == "br":
        import brotli

        return brotli.compress(body)
    import zstandard

    return zstandard.compress(body)
