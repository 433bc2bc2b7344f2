"""Answers come in one piece, and whole."""

from __future__ import annotations

import asyncio

import pytest

from qmon_agent.http.server import HttpServer
from qmon_agent.ingest.listening import listen_tcp


async def answer(scope, receive, send):
    """Head and body, the way every application does it."""
    size = int(scope["path"][1:])
    if scope["method"] == "POST":
        await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(size // 10_000):
        await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
    await send({"type": "http.response.body", "body": b"end"})


@pytest.fixture
async def link():
    listener = listen_tcp("127.0.0.1:0", path="listen")
    server = HttpServer(answer, listener)
    await server.start()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    yield reader, writer
    writer.close()
    await server.stop()


class TestJoining:
    async def test_writes_head_and_body_at_once(self, link):
        reader, writer = link
        for _ in range(3):
            writer.write(b"GET /2 HTTP/1.1\r\nhost: x\r\n\r\n")
            said = await reader.read(65_536)
            assert said.startswith(b"HTTP/1.1 200 ")
            assert said.endswith(b"\r\n\r\n3\r\nend\r\n0\r\n\r\n")

    async def test_writes_what_is_large_whole(self, link):
        reader, writer = link
        writer.write(b"GET /1000000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        said = await reader.read()
        assert 1_000_000 == said.partition(b"\r\n\r\n")[2].count(b"x")
        assert said.endswith(b"end\r\n0\r\n\r\n")

    async def test_writes_a_head_that_has_no_body(self, link):
        reader, writer = link
        writer.write(b"HEAD /2 HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(10):
            said = await reader.readuntil(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 200 ")

    async def test_lets_a_sender_go_on_that_waits_for_a_word(self, link):
        reader, writer = link
        writer.write(
            b"POST /2 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
        )
        said = await reader.readuntil(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 100 ")
