"""A request by urllib3."""

from __future__ import annotations

import urllib3


def use(servers):
    with urllib3.PoolManager() as pool:
        assert 200 == pool.request("GET", servers.web.url).status
        yield
        assert 200 == pool.request("GET", f"{servers.web.url}/to").status
