"""A key set, found, and another one missed."""

from __future__ import annotations

from pymemcache import Client

TELLS = ("span", "point")


def use(servers):
    client = Client(servers.memcached.address)
    client.set("a", "1")
    assert b"1" == client.get("a")
    yield
    assert {"a": b"1"} == client.get_many(["a", "nothing"])
    client.close()
