"""HTTP clients against a real server: one span for each sending, and the trace in its headers."""

from __future__ import annotations

import aiohttp
import httpx
import pytest
import requests
import urllib3

from qmon_sdk.client import current
from qmon_sdk.spans import span
from qmon_sdk.start import stats

CLIENTS = ("requests", "urllib3", "httpx", "httpx_async", "aiohttp")
UNREACHABLE = (OSError, httpx.HTTPError, urllib3.exceptions.HTTPError, aiohttp.ClientError)


@pytest.fixture
def server(servers):
    servers.web.heard.clear()
    return servers.web


async def get(client, url, **options):
    """Ask by any client, following redirects; answers the status."""
    if client == "requests":
        with requests.Session() as session:
            return session.get(url, **options).status_code
    if client == "urllib3":
        with urllib3.PoolManager(retries=urllib3.Retry(5, raise_on_redirect=False)) as pool:
            return pool.request("GET", url, retries=2, **options).status
    if client == "httpx":
        with httpx.Client(follow_redirects=True) as session:
            return session.get(url, **options).status_code
    if client == "httpx_async":
        async with httpx.AsyncClient(follow_redirects=True) as session:
            return (await session.get(url, **options)).status_code
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status


@pytest.fixture
def watching(told):
    return told.begin(integrations=("requests", "urllib3", "httpx", "aiohttp"))


@pytest.mark.parametrize("client", CLIENTS)
class TestEveryClient:
    async def test_makes_one_span_of_one_request(self, client, server, watching):
        assert 200 == await get(client, f"{server.url}/cart?page=2")

        made = watching.span("GET")
        assert ("client", "unset") == (made.kind, made.status)
        assert {
            "http.request.method": "GET",
            "http.response.status_code": "200",
            "server.address": "127.0.0.1",
            "server.port": str(server.server_port),
            "url.full": f"{server.url}/cart?page=2",
            "url.scheme": "http",
        } == dict(made.attributes)

    async def test_sends_the_trace_along(self, client, server, watching):
        with span("outer"):
            await get(client, server.url)

        made, outer = watching.span("GET"), watching.span("outer")
        assert outer.span_id == made.parent_id
        headers = server.heard[0][1]
        assert f"00-{made.trace_id}-{made.span_id}-01" == headers["traceparent"]

    async def test_makes_one_span_of_each_sending(self, client, server, watching):
        await get(client, f"{server.url}/to")

        first, second = watching.spans
        assert ["302", "200"] == [
            s.attributes["http.response.status_code"] for s in (first, second)
        ]
        assert "1" == second.attributes["http.request.resend_count"]
        assert first.trace_id == second.trace_id
        assert first.parent_id == second.parent_id == ""

    async def test_marks_an_answer_that_is_an_error(self, client, server, watching):
        await get(client, f"{server.url}/bad")

        made = watching.span("GET")
        assert ("error", "503") == (made.status, made.attributes["error.type"])

    async def test_marks_a_server_that_is_not_there(self, client, server, watching):
        with pytest.raises(UNREACHABLE):
            await get(client, "http://127.0.0.1:1/")

        made = watching.spans[-1]
        assert "error" == made.status
        assert made.attributes["error.type"]

    async def test_leaves_a_trace_that_the_program_sends(self, client, server, watching):
        parent = f"00-{'1' * 32}-{'2' * 16}-01"

        await get(client, server.url, headers={"Traceparent": parent})

        headers = server.heard[0][1]
        assert parent == headers["traceparent"]

    async def test_hides_what_is_secret_in_a_url(self, client, server, watching):
        url = server.url.replace("//", "//me:pass@") if client != "urllib3" else server.url

        await get(client, f"{url}/?token=abc&page=2")

        assert (
            f"{server.url}/?token=[scrubbed]&page=2" == watching.span("GET").attributes["url.full"]
        )

    async def test_tells_only_the_servers_it_may(self, client, server, told):
        told.begin(
            integrations=("requests", "httpx", "aiohttp", "urllib3"), propagate_to=["*.shop"]
        )

        await get(client, server.url)

        assert "traceparent" not in server.heard[0][1]
        assert told.span("GET")

    async def test_is_as_it_was_when_removed(self, client, server, watching):
        for watch in current().integrations.values():
            watch.remove()

        assert 200 == await get(client, server.url)
        assert [] == watching.spans

    async def test_is_silent_about_a_program_that_is_not_sampled(self, client, server, watching):
        watching.begin(integrations=("requests", "httpx", "aiohttp"), traces_sample_rate=0.0)

        await get(client, server.url)

        headers = server.heard[0][1]
        assert headers["traceparent"].endswith("-00")
        assert [] == watching.spans


class TestPropagateTo:
    @pytest.mark.parametrize(
        ("patterns", "is_told"),
        [(("*",), True), ((), False), (("127.0.0.1",), True), (["*.0.0.1"], True), (("a",), False)],
    )
    def test_names_hosts_and_domains(self, told, server, patterns, is_told):
        told.begin(integrations=("requests",), propagate_to=patterns)

        requests.get(server.url, timeout=5)

        assert is_told == ("traceparent" in server.heard[0][1])


class TestHeaders:
    def test_of_the_program_stay_its_own(self, server, watching):
        given = {"X-Mine": "1"}
        with requests.Session() as session:
            before = dict(session.headers)
            response = session.get(server.url, headers=given)

        assert (before, {"X-Mine": "1"}) == (dict(session.headers), given)
        assert "traceparent" not in response.request.headers

    def test_of_an_httpx_request_stay_its_own(self, server, watching):
        with httpx.Client() as client:
            request = client.build_request("GET", server.url)
            response = client.send(request)

        assert response.request is request
        assert "traceparent" not in request.headers


class TestRetries:
    def test_are_sendings_of_one_call(self, server, watching):
        retry = urllib3.Retry(2, status_forcelist=[503])
        with requests.Session() as session:
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
            with pytest.raises(requests.exceptions.RetryError):
                session.get(f"{server.url}/bad")

        counts = [made.attributes.get("http.request.resend_count") for made in watching.spans]
        assert [None, "1", "2"] == counts


class TestNesting:
    def test_of_clients_above_each_other_is_one_span(self, server, watching):
        requests.get(server.url, timeout=5)

        assert 1 == len(watching.spans)

    def test_in_a_hook_is_a_call_of_its_own(self, server, watching):
        def hook(*_, **__):
            httpx.get(f"{server.url}/inner")

        requests.get(server.url, hooks={"response": hook}, timeout=5)

        inner, outer = watching.spans
        assert outer.span_id == inner.parent_id
        assert inner.attributes["url.full"].endswith("/inner")


class TestWrongUrls:
    @pytest.mark.parametrize("url", ["", "http://", "http://[::1", "nothing", "http://h:x/"])
    def test_fail_as_they_did(self, watching, url):
        with pytest.raises((requests.RequestException, ValueError)):
            requests.get(url, timeout=1)
        with pytest.raises((httpx.HTTPError, httpx.InvalidURL)):
            httpx.get(url, timeout=1)

        assert {} == stats().trouble
