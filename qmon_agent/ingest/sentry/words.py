"""What Sentry's ops, statuses and older attribute names are in OpenTelemetry's words."""

from __future__ import annotations

KINDS = {
    "http.server": "server",
    "websocket.server": "server",
    "http.client": "client",
    "db": "client",
    "cache": "client",
    "rpc": "client",
    "grpc": "client",
    "queue.publish": "producer",
    "queue.submit": "producer",
    "queue.process": "consumer",
    "queue.task": "consumer",
}
"""How an `op` begins → the kind of span."""

FINE = frozenset({"", "ok", "cancelled", "unset"})
FAULTS_OF_CALLERS = frozenset(
    (
        "invalid_argument",
        "unauthenticated",
        "permission_denied",
        "not_found",
        "already_exists",
        "failed_precondition",
        "resource_exhausted",
        "out_of_range",
    )
)

ATTRIBUTES = {
    "http.method": "http.request.method",
    "http.status_code": "http.response.status_code",
    "http.query": "url.query",
    "http.fragment": "url.fragment",
    "http.response_content_length": "http.response.body.size",
    "url": "url.full",
    "db.system": "db.system.name",
    "db.name": "db.namespace",
    "db.operation": "db.operation.name",
    "db.statement": "db.query.text",
    "db.sql.table": "db.collection.name",
    "net.peer.name": "server.address",
    "net.peer.port": "server.port",
    "code.filepath": "code.file.path",
    "code.lineno": "code.line.number",
    "code.function": "code.function.name",
}
"""What an attribute was called before the conventions were stable → what it is called."""

VITALS = {name: f"browser.web_vital.{name}" for name in ("cls", "fcp", "fid", "inp", "lcp", "ttfb")}
"""Measurements of pages, as the conventions name them."""

UNITS = {
    "nanosecond": "ns",
    "microsecond": "us",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
    "byte": "By",
    "kilobyte": "kBy",
    "megabyte": "MBy",
    "kibibyte": "KiBy",
    "mebibyte": "MiBy",
    "ratio": "1",
    "percent": "%",
    "none": "",
}
"""Units by name → as UCUM writes them."""


def kind_of(op: str) -> str:
    """Say which kind of span an op is."""
    for prefix, kind in KINDS.items():
        if op == prefix or op.startswith(prefix + "."):
            return kind
    return "internal"


def status_of(said: str, kind: str) -> str:
    """Say whether it failed: a server does not when its caller is at fault."""
    if said in FINE:
        return "ok" if said == "ok" else "unset"
    return "unset" if kind == "server" and said in FAULTS_OF_CALLERS else "error"


def renamed(attributes: dict[str, str]) -> dict[str, str]:
    """The same under the stable names; one that has both keeps the newer."""
    moved = {ATTRIBUTES.get(key, key): value for key, value in attributes.items()}
    return moved | {key: value for key, value in attributes.items() if key not in ATTRIBUTES}
