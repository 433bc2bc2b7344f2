"""Signing in by a link that works once, and a plain page that says how the agent is."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from qmon_agent.http.access import cookie_for
from qmon_agent.http.desk import Desk
from qmon_agent.http.gate import needs

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{head}
<title>qmon</title></head>
<body><h1>qmon</h1>{body}</body>
</html>
"""
# Going on from a page of our own is what lets a strict cookie travel with the next request.
ONWARD = '<meta http-equiv="refresh" content="0;url=/">'


def routes(desk: Desk) -> list[Route]:
    @needs("open")
    async def signin(request: Request) -> Response:
        session = desk.sessions.redeem(request.query_params.get("code", ""))
        if session is None:
            desk.vitals.add("sign_ins_refused")
            body = "<p>This link was used before, or is too old. Restart the agent for another.</p>"
            return HTMLResponse(PAGE.format(head="", body=body), status_code=403)
        page = PAGE.format(head=ONWARD, body='<p>You are signed in. <a href="/">Go on</a></p>')
        is_secure = request.url.scheme == "https"
        cookie = cookie_for(session, max_age_s=desk.session_ttl_s, is_secure=is_secure)
        return HTMLResponse(page, headers={"set-cookie": cookie})

    @needs("read")
    async def home(_: Request) -> Response:
        shown = msgspec.json.format(msgspec.json.encode(await desk.status()), indent=2)
        from html import escape  # brings two thousand names of characters along

        body = f"<pre>{escape(shown.decode())}</pre>"
        return HTMLResponse(PAGE.format(head="", body=body))

    return [Route("/signin", signin), Route("/", home)]
