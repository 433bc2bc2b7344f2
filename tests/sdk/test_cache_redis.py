"""Redis, for real: commands, hits and misses, pipelines, clusters; never a key, never a value."""

from __future__ import annotations

import asyncio

import pytest
import redis
import redis.asyncio

from qmon_sdk.spans import span
from qmon_sdk.start import stats

SECRETS = ("geheim", "schluessel")


@pytest.fixture
def watched(told):
    return told.begin(integrations=("redis",))


@pytest.fixture
def client(watched, redis_at):
    client = redis.Redis(port=redis_at.port)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
async def later(watched, redis_at):
    async with redis.asyncio.Redis(port=redis_at.port) as client:
        await client.flushall()
        yield client


def counted(told, what):
    points = [p for p in told.all("point") if p.metric == f"cache.{what}"]
    return {p.attributes["cache.command"]: p.value for p in points}


class TestACommand:
    def test_says_what_was_asked_and_of_whom(self, watched, client, redis_at):
        client.get("schluessel")

        assert {
            "db.system.name": "redis",
            "db.namespace": "0",
            "server.address": "localhost",
            "server.port": str(redis_at.port),
            "db.operation.name": "GET",
            "cache.hit": "false",
        } == watched.span("GET").attributes

    def test_that_finds_says_so(self, watched, client):
        client.set("a", "geheim")
        client.get("a")

        assert "true" == watched.span("GET").attributes["cache.hit"]

    def test_counts_what_it_found(self, watched, client):
        client.mset({"a": 1, "b": 2})
        client.hset("h", "field", 1)
        client.mget("a", "b", "c", "d")
        client.hget("h", "nothing")
        client.hgetall("h")
        client.exists("a", "b", "c")

        assert {"MGET": 2, "HGETALL": 1, "EXISTS": 2} == counted(watched, "hits")
        assert {"MGET": 2, "HGET": 1, "EXISTS": 1} == counted(watched, "misses")
        about = watched.span("MGET").attributes
        assert ("false", "4") == (about["cache.hit"], about["cache.key_count"])

    def test_keeps_no_key_and_no_value(self, watched, client):
        client.set("schluessel", "geheim")
        client.get("schluessel")
        client.pipeline().get("schluessel").hset("schluessel", "geheim", "geheim").execute(
            raise_on_error=False
        )
        client.eval("return ARGV[1]", 1, "schluessel", "geheim")

        told = str([(s.name, s.attributes) for s in watched.spans])
        assert not any(secret in told for secret in SECRETS)

    def test_that_fails_says_the_word_of_the_error(self, watched, client):
        client.set("a", 1)
        with pytest.raises(redis.ResponseError):
            client.lpush("a", 1)

        failed = watched.span("LPUSH")
        assert ("error", "ResponseError") == (failed.status, failed.attributes["error.type"])
        assert "WRONGTYPE" == failed.attributes["db.response.status_code"]

    @pytest.mark.parametrize("odd", ["nonsense geheim", b"GET", 5, "x" * 1000, ""])
    def test_of_any_sort_harms_nobody(self, watched, client, odd):
        try:
            client.execute_command(odd, "a")
        except (redis.RedisError, TypeError, AttributeError):
            pass

        assert {} == stats().trouble
        assert all(len(span.name) <= 64 for span in watched.spans)


class TestAPipeline:
    def test_is_one_span_and_counts_what_it_found(self, watched, client):
        client.set("a", 1)
        client.pipeline(transaction=False).get("a").get("b").get("c").execute()

        assert "3" == watched.span("PIPELINE").attributes["db.operation.batch.size"]
        assert [{"GET": 1}, {"GET": 2}] == [counted(watched, what) for what in ("hits", "misses")]

    def test_that_is_a_transaction_is_called_so(self, watched, client):
        with client.pipeline() as pipeline:
            pipeline.watch("a")
            pipeline.multi()
            pipeline.incr("a").incr("a")
            assert [1, 2] == pipeline.execute()

        assert watched.span("WATCH")
        assert watched.span("MULTI")

    def test_of_nothing_is_none(self, watched, client):
        assert [] == client.pipeline().execute()

        assert not [span for span in watched.spans if span.name in {"MULTI", "PIPELINE"}]


class TestAConnection:
    def test_is_a_span_once(self, watched, client):
        client.get("a")
        client.get("a")

        assert watched.span("CONNECT")

    def test_that_is_refused_says_so(self, watched):
        client = redis.Redis(port=1, retry=None)
        with pytest.raises(redis.ConnectionError):
            client.get("a")

        assert {"error"} == {span.status for span in watched.spans}


class TestAsynchronous:
    async def test_says_the_same(self, watched, later):
        await later.set("a", 1)
        await later.get("a")
        async with later.pipeline(transaction=False) as pipeline:
            await pipeline.get("a").get("b").execute()

        assert "true" == watched.span("GET").attributes["cache.hit"]
        assert "2" == watched.span("PIPELINE").attributes["db.operation.batch.size"]
        assert [{"GET": 2}, {"GET": 1}] == [counted(watched, what) for what in ("hits", "misses")]

    async def test_commands_side_by_side_have_each_their_parent(self, watched, later):
        async def request(number):
            with span(f"request {number}") as own:
                await later.get(number)
                return own.span_id

        parents = await asyncio.gather(*map(request, "1234"))

        gets = [s.parent_id for s in watched.spans if s.name == "GET"]
        assert sorted(parents) == sorted(gets)


@pytest.fixture
def cluster_at(servers):
    return servers.redis_cluster


class TestACluster:
    def test_commands_and_pipelines_are_spans(self, told, cluster_at):
        told.begin(integrations=("redis",))
        client = redis.RedisCluster(host="127.0.0.1", port=cluster_at.port)
        client.set("a", 1)
        client.get("a")
        client.pipeline().get("a").get("b").execute()
        client.close()

        assert "true" == told.span("GET").attributes["cache.hit"]
        assert str(cluster_at.port) == told.span("SET").attributes["server.port"]
        assert told.span("PIPELINE")

    async def test_commands_may_be_asynchronous(self, told, cluster_at):
        told.begin(integrations=("redis",))
        async with redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster_at.port) as client:
            await client.set("a", 1)
            await client.get("a")
            await client.pipeline().get("a").get("b").execute()

        assert "true" == told.span("GET").attributes["cache.hit"]
        assert told.span("PIPELINE")
