"""A request by requests."""

from __future__ import annotations

import requests


def use(servers):
    with requests.Session() as session:
        assert 200 == session.get(servers.web.url).status_code
        yield
        assert 200 == session.get(f"{servers.web.url}/to").status_code
