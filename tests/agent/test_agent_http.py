"""The gate: who may ask what, from where, with how large a body; and what the routes answer."""

from __future__ import annotations

import asyncio
import gzip
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qmon_agent.http.access import Sessions
from qmon_agent.http.application import routes_of
from qmon_agent.http.bodies import Bodies
from qmon_agent.http.gate import Gate, Identities, UndeclaredRoleError, needs
from qmon_agent.http.refusals import Refusal
from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.entrance import Entrance
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.settings import Admission as AdmissionOptions
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.frames import pack_length

PROTECTED = ["/", "/api/status", "/metrics", "/api/tokens", "/api/incidents", "/no/such"]


@pytest.fixture
def url(agent):
    return agent.ready["url"]


@pytest.fixture
async def client(url):
    async with httpx.AsyncClient(base_url=url) as client:
        yield client


@pytest.fixture
def token(agent):
    """Makes a header that shows a token of some scope."""

    async def make(scope):
        made = await agent.desk.create_token(scope, name="", ttl_s=60)
        return {"authorization": f"Bearer {made['token']}"}

    return make


class TestGate:
    @pytest.mark.parametrize("path", PROTECTED)
    async def test_lets_nobody_in_without_a_token(self, client, path):
        assert 401 == (await client.get(path)).status_code

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    async def test_tells_everybody_how_it_is(self, client, path):
        assert 200 == (await client.get(path)).status_code

    async def test_keeps_scopes_apart(self, client, token):
        ingest, read = await token("ingest"), await token("read")

        assert 403 == (await client.get("/api/status", headers=ingest)).status_code
        assert 200 == (await client.get("/api/status", headers=read)).status_code
        assert 403 == (await client.post("/api/tokens", headers=read)).status_code

    @pytest.mark.parametrize("way", ["x-qmon-token", "basic"])
    async def test_takes_a_token_however_a_client_can_send_it(self, client, token, way):
        text = (await token("read"))["authorization"].removeprefix("Bearer ")
        ways = {"x-qmon-token": {"headers": {way: text}}, "basic": {"auth": (text, "")}}

        assert 200 == (await client.get("/api/status", **ways[way])).status_code

    async def test_forgets_a_token_at_once_when_it_is_revoked(self, agent, client, token):
        read = await token("read")
        await client.get("/api/status", headers=read)
        await agent.desk.revoke_token(1)

        assert 401 == (await client.get("/api/status", headers=read)).status_code

    async def test_counts_who_is_turned_away_and_why(self, agent, client, token):
        await client.get("/api/status")
        for _ in range(2):
            await client.get("/api/status", headers={"authorization": "Bearer guessed"})
        await client.post("/api/query", headers=await token("ingest"))

        told = (await agent.desk.status())["turned_away"]

        found = {each["reason"]: (each["requests"], each["senders"]) for each in told}
        assert {"role": (1, 1), "wrong_token": (2, 1), "no_token": (1, 1)} == found
        counted = {"reason": "wrong_token", "sender": "ip:127.0.0.1"}
        assert 2 == agent.parts.vitals.count("requests_refused", **counted)

    async def test_answers_to_no_name_it_does_not_know(self, client):
        answer = await client.get("/healthz", headers={"host": "evil.example"})

        assert 421 == answer.status_code

    async def test_refuses_to_change_anything_for_another_origin(self, client, token):
        headers = {**await token("admin"), "origin": "http://evil.example"}

        assert 403 == (await client.post("/api/tokens", headers=headers)).status_code

    async def test_puts_the_headers_of_safety_on_every_answer(self, client):
        for path in ("/healthz", "/api/status", "/signin"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "nosniff" == headers["x-content-type-options"]

    def test_does_not_open_on_a_route_without_a_role(self):
        async def forgotten(_):
            return PlainTextResponse("")

        with pytest.raises(UndeclaredRoleError, match="declares no role"):
            a_gate([Route("/x", forgotten)])

    def test_knows_no_role_of_another_name(self):
        with pytest.raises(UndeclaredRoleError, match="'reader' is none of"):
            needs("reader")


class TestQuestions:
    async def test_are_listed_for_who_may_read(self, client, token):
        answer = await client.get("/api/questions", headers=await token("read"))
        turned_away = await client.get("/api/questions", headers=await token("ingest"))

        assert "latency_by_route" in [each["name"] for each in answer.json()["questions"]]
        assert 403 == turned_away.status_code

    async def test_without_a_store_have_no_answer(self, client, token):
        answer = await client.get("/api/questions/trace", headers=await token("read"))

        assert (503, "StoreError") == (answer.status_code, answer.json()["kind"])

    async def test_say_nothing_twice(self, client, token):
        asked = "/api/questions/error_groups?top=1&top=2"
        answer = await client.get(asked, headers=await token("read"))

        assert (400, "a parameter is said twice") == (answer.status_code, answer.json()["error"])


class TestBodies:
    @pytest.mark.parametrize(("declared", "status"), [(str(1 << 30), 413), ("many", 400)])
    async def test_are_refused_by_their_declared_length(self, declared, status):
        bodies = a_bodies(max_bytes=10)

        with pytest.raises(Refusal) as raised:
            async with bodies.read({"content-length": declared}, lambda: asyncio.sleep(10)):
                pass

        assert status == raised.value.status

    async def test_are_refused_when_they_unpack_to_too_much(self, client, token):
        bomb = gzip.compress(bytes(64 << 20))
        headers = {**await token("ingest"), "content-encoding": "gzip"}

        answer = await client.post("/api/qmon/frames", headers=headers, content=bomb)

        assert (413, True) == (answer.status_code, "unpacks" in answer.text)

    async def test_are_taken_packed(self, client, token, frame):
        headers = {**await token("ingest"), "content-encoding": "gzip"}
        body = gzip.compress(pack_length(frame(1)))

        answer = await client.post("/api/qmon/frames", headers=headers, content=body)

        assert (200, [1]) == (answer.status_code, answer.json()["acknowledged"])

    async def test_that_do_not_come_in_time_are_given_up(self):
        bodies = a_bodies(max_bytes=10, timeout_s=0.01)

        with pytest.raises(Refusal, match="did not come in time") as raised:
            async with bodies.read({}, lambda: asyncio.sleep(10)):
                pass

        assert 408 == raised.value.status

    async def test_with_the_wrong_shape_are_told_what_is_wrong(self, client, token):
        answer = await client.post("/api/query", headers=await token("read"), json={"sq": 1})

        assert (400, True) == (answer.status_code, "sq" in answer.json()["error"])


class TestSignIn:
    async def test_works_once_by_the_link_of_the_ready_line(self, agent, client):
        link = agent.ready["signin"]

        first, again = await client.get(link), await client.get(link)
        page = await client.get("/")

        assert (200, 403, 200) == (first.status_code, again.status_code, page.status_code)
        assert "conservation" in page.text
        assert "HttpOnly; SameSite=Strict" in first.headers["set-cookie"]

    def test_ends_after_its_time(self):
        now = [0.0]
        sessions = Sessions(code_ttl_s=10, ttl_s=100, now=lambda: now[0])
        session, late = sessions.redeem(sessions.new_code()), sessions.new_code()
        now[0] = 11.0
        assert (True, None) == (sessions.knows(session), sessions.redeem(late))
        now[0] = 101.0
        assert not sessions.knows(session)


class TestRoutes:
    async def test_show_the_agents_own_numbers(self, client, token):
        answer = await client.get("/metrics", headers=await token("read"))

        assert "# TYPE qmon_agent_" in answer.text

    async def test_say_that_there_is_no_store(self, client, token):
        answer = await client.post(
            "/api/query", headers=await token("read"), json={"sql": "SELECT 1"}
        )

        assert (503, True) == (answer.status_code, "--no-store" in answer.json()["error"])

    async def test_show_names_from_strangers_as_text(self, client, agent):
        link = agent.ready["signin"]
        await client.get(link)
        agent.parts.vitals.add("x", reason="<script>")

        assert "<script>" not in (await client.get("/")).text


class TestControlSocket:
    async def test_is_for_its_owner_only_and_asks_for_no_token(self, agent, tmp_path):
        path = tmp_path / "control.sock"
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://agent"
        ) as client:
            answer = await client.get("/api/status")

        assert (200, 0o600) == (answer.status_code, path.stat().st_mode & 0o777)

    async def test_survives_garbage(self, agent, tmp_path, client):
        with socket.socket(socket.AF_UNIX) as garbage:
            garbage.connect(str(tmp_path / "control.sock"))
            garbage.sendall(bytes(range(256)))

        assert 200 == (await client.get("/healthz")).status_code


def a_bodies(*, max_bytes, timeout_s=1):
    vitals = Vitals()
    intake = Intake(None, admission=Admission(AdmissionOptions()), vitals=vitals)
    return Bodies(intake, max_bytes=max_bytes, timeout_s=timeout_s)


def a_gate(routes, scope_of=lambda _: None):
    identities = Identities(scope_of=scope_of, sessions=Sessions(code_ttl_s=1, ttl_s=1))
    bodies = a_bodies(max_bytes=1)
    routes = [*routes]
    return Gate(Starlette(routes=routes), routes, identities=identities, bodies=bodies, hosts=())


class AnybodysSource:
    """A source for pages of any origin, with its token in the query string."""

    entrance = Entrance(
        paths=("/send",), from_browsers=True, token_of=lambda _, query: query.removeprefix("key=")
    )

    async def __call__(self, scope, receive, send):
        await PlainTextResponse("taken")(scope, receive, send)


class TestCrossing:
    """What pages of other origins may do, where a source lets them."""

    @pytest.fixture
    async def outside(self):
        source = AnybodysSource()
        gate = a_gate(routes_of(source), scope_of={"k": "ingest"}.get)
        transport = httpx.ASGITransport(gate)
        headers = {"origin": "https://shop.example"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers
        ) as client:
            yield client

    async def test_may_ask_first_without_a_token(self, outside):
        answer = await outside.options("/send", headers={"access-control-request-method": "POST"})

        told = answer.headers
        assert (204, "*", "POST") == (
            answer.status_code,
            told["access-control-allow-origin"],
            told["access-control-allow-methods"],
        )

    async def test_may_send_with_a_token_only(self, outside):
        answers = [await outside.post(f"/send?key={key}") for key in ("k", "another")]

        assert [200, 401] == [answer.status_code for answer in answers]
        assert {"*"} == {answer.headers["access-control-allow-origin"] for answer in answers}
