"""Small plain pages: no script, no picture, nothing from elsewhere, and nothing kept."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import sha256

from starlette.responses import HTMLResponse, Response

from qmon_agent.http.link_desk import IncidentView, LinkView

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:1rem auto;padding:0 1rem}"
    "h1{font-size:1.2rem}button{font:inherit;font-weight:bold;padding:.8rem 1.6rem}"
    "dt{font-weight:bold}dd{margin:0 0 .4rem;overflow-wrap:anywhere}"
)
_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    # Others are told nothing. Ours is: with `no-referrer`, browsers hide the origin of a form too.
    "referrer-policy": "same-origin",
    "x-robots-tag": "noindex, nofollow",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1>
{body}
</body>
</html>
"""
_NO_LINK = "<p>This is no link of this agent, or one that was revoked.</p>"
_TOO_OLD = "<p>This link is too old. A later message about it has a new one.</p>"


def page(title: str, body: str, *, status: int = 200) -> Response:
    """A page; `body` is markup, and `title` is text."""
    content = _PAGE.format(title=_text(title), style=_STYLE, body=body)
    return HTMLResponse(content, status_code=status, headers=_HEADERS)


def link_page(view: LinkView, *, status: int) -> Response:
    """What a link permits, and a button where it may be done."""
    if view.standing in {"unknown", "expired"}:
        return page("qmon", _NO_LINK if view.standing == "unknown" else _TOO_OLD, status=status)
    said = f"<p><strong>{_text(view.said)}</strong></p>\n" if view.said else ""
    # To the address it came from: it has the right in it.
    form = (
        f'<form method="post"><button type="submit">{_text(view.button)}</button></form>\n'
        if view.button
        else ""
    )
    return page(view.title, f"{said}{form}{_list(view.facts)}", status=status)


def incident_page(view: IncidentView) -> Response:
    """How it stands, what happened to it, and who heard of it."""
    why = "".join(f"<li>{_text(each)}</li>\n" for each in view.why)
    return page(
        view.title,
        f"{_list(view.facts)}"
        f"<h2>What happened</h2>\n{_list(view.history)}"
        f'<h2 id="why">Who heard of it, and why</h2>\n<ul>{why}</ul>',
    )


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    items = (f"<dt>{_text(name)}</dt><dd>{_text(said)}</dd>\n" for name, said in pairs)
    return f"<dl>{''.join(items)}</dl>\n"


def _text(said: str) -> str:
    from html import escape  # brings two thousand names of characters along

    return escape(said)
