"""Memcached, for real: commands, hits and misses; never a key, never a value."""

from __future__ import annotations

import pytest
from pymemcache import Client, HashClient, PooledClient
from pymemcache.exceptions import MemcacheClientError

from qmon_sdk.start import stats


@pytest.fixture
def watched(told):
    return told.begin(integrations=("pymemcache",))


@pytest.fixture
def client(watched, memcached_at):
    client = Client(memcached_at.address)
    client.flush_all(noreply=False)
    yield client
    client.close()


def counted(told, what):
    return sum(p.value for p in told.all("point") if p.metric == f"cache.{what}")


class TestACommand:
    def test_says_what_was_asked_and_of_whom(self, watched, client, memcached_at):
        client.get("schluessel")

        assert {
            "db.system.name": "memcached",
            "server.address": "127.0.0.1",
            "server.port": str(memcached_at.port),
            "db.operation.name": "GET",
            "cache.hit": "false",
        } == watched.span("GET").attributes

    def test_counts_what_it_found(self, watched, client):
        client.set_many({"a": "1", "b": "2"})
        assert 2 == len(client.get_many(["a", "b", "c"]))
        assert client.get("a")

        assert [3, 1] == [counted(watched, "hits"), counted(watched, "misses")]
        hits = [s.attributes["cache.hit"] for s in watched.spans if s.name == "GET"]
        assert ["false", "true"] == hits
        assert "2" == watched.span("SET").attributes["cache.key_count"]

    def test_keeps_no_key_and_no_value(self, watched, client):
        client.set("schluessel", "geheim")
        client.get("schluessel")
        client.delete("schluessel")

        told = str([(s.name, s.attributes) for s in watched.spans])
        assert "schluessel" not in told
        assert "geheim" not in told

    def test_of_every_kind_is_named(self, watched, client):
        client.add("n", "1", noreply=False)
        client.incr("n", 1)
        client.touch("n")
        client.delete("n", noreply=False)
        client.stats()
        client.version()

        named = {span.name for span in watched.spans}
        assert {"ADD", "INCR", "TOUCH", "DELETE", "STATS", "VERSION", "CONNECT"} <= named

    def test_that_fails_says_so(self, watched, client):
        with pytest.raises(MemcacheClientError):
            client.incr("a" * 300, 1)
        with pytest.raises(MemcacheClientError):
            client.get("a" * 300)

        assert [("GET", "error")] == [(s.name, s.status) for s in watched.spans if s.name == "GET"]
        assert {} == stats().trouble


class TestClients:
    @pytest.mark.parametrize("kind", [PooledClient, lambda at: HashClient([at], use_pooling=True)])
    def test_of_every_kind_tell_each_command_once(self, watched, memcached_at, kind):
        client = kind(memcached_at.address)
        client.set("a", "1")
        assert b"1" == client.get("a")
        client.close()

        assert watched.span("SET")
        assert "true" == watched.span("GET").attributes["cache.hit"]
