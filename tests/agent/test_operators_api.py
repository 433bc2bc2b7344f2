"""What each scope may do over HTTP: a table with every route that changes something."""

from __future__ import annotations

import httpx
import pytest

from qmon_agent.app.tokens import TokenMemory
from qmon_agent.http.application import make_routes

# What is asked for is not there: whoever may ask hears so, and nobody else hears anything.
OPERATED = [
    ("POST", "/api/incidents/none/ack"),
    ("POST", "/api/incidents/none/label"),
    ("POST", "/api/incidents/none/merge"),
    ("POST", "/api/incidents/none/split"),
    ("POST", "/api/silences"),
    ("DELETE", "/api/silences/none"),
]
ADMINISTERED = [
    ("POST", "/api/reload"),
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/999"),
    ("GET", "/api/forget"),
    ("GET", "/api/forget/none"),
    ("POST", "/api/forget"),
    ("POST", "/api/segments/look"),
    ("POST", "/api/holds"),
    ("DELETE", "/api/holds/none"),
]
SCOPES = ("ingest", "read", "operator", "admin")


@pytest.fixture
async def answers(agent):
    """Asks once with a token of each scope; answers who was let in."""
    tokens = {s: (await agent.desk.create_token(s, name="", ttl_s=60))["token"] for s in SCOPES}
    async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:

        async def ask(method, path):
            found = {}
            for scope, token in tokens.items():
                headers = {"authorization": f"Bearer {token}"}
                found[scope] = (await client.request(method, path, headers=headers)).status_code
            return [scope for scope in SCOPES if found[scope] != 403]

        yield ask


class TestScopes:
    @pytest.mark.parametrize(("method", "path"), OPERATED)
    async def test_of_operators_look_after_what_fires(self, answers, method, path):
        assert ["operator", "admin"] == await answers(method, path)

    @pytest.mark.parametrize(("method", "path"), ADMINISTERED)
    async def test_of_operators_change_no_configuration(self, answers, method, path):
        assert ["admin"] == await answers(method, path)

    async def test_of_operators_see_what_readers_see(self, answers):
        assert ["read", "operator", "admin"] == await answers("GET", "/api/incidents")

    async def test_of_readers_see_the_status_page_unless_it_is_public(self, answers):
        assert ["read", "operator", "admin"] == await answers("GET", "/api/status-page")

    async def test_of_operators_send_no_signals(self, agent, answers):
        made = await agent.desk.create_token("operator", name="", ttl_s=60)

        assert ["ingest", "admin"] == await answers("POST", "/api/qmon/frames")
        assert not TokenMemory(agent.parts.judged.state.tokens.check).may_enter(made["token"])

    async def test_let_strangers_look_at_few_things(self, agent):
        looked_at = {
            route.path
            for route in make_routes(agent.desk, ())
            if "GET" in route.methods and route.endpoint.role == "open"
        }

        assert looked_at == {
            "/healthz",
            "/readyz",
            "/signin",
            "/incidents/{incident:str}",  # by a link, or who may read
            "/links/{text:str}",
            "/links/{text:str}/chart.png",
            "/api/status-page",  # where it is public, or who may read
        }

    async def test_are_decided_for_every_route_that_changes_something(self, agent):
        changing = {
            (route.path, route.endpoint.role)
            for route in make_routes(agent.desk, ())
            if route.methods - {"GET", "HEAD"}
        }

        assert changing == {
            ("/api/incidents/{incident:str}/label", "operator"),
            ("/api/incidents/{incident:str}/merge", "operator"),
            ("/api/incidents/{incident:str}/{deed:str}", "operator"),
            ("/api/forget", "admin"),
            ("/api/holds", "admin"),
            ("/api/holds/{hold:str}", "admin"),
            ("/api/links", "admin"),
            ("/links/{text:str}", "open"),  # signed, for one deed
            ("/api/export", "read"),
            ("/api/query", "read"),
            ("/api/reload", "admin"),
            ("/api/segments/look", "admin"),
            ("/api/silences", "operator"),
            ("/api/silences/{silence:str}", "operator"),
            ("/api/tokens", "admin"),
            ("/api/tokens/{token_id:int}", "admin"),
        }
