"""What Sentry's ops and statuses mean."""

from __future__ import annotations

OK, ERROR, UNSET = "ok", "error", "unset"
MAX_NAME = 255
_KINDS = {
    "http.server": "server",
    "http.client": "client",
    "db": "client",
    "cache": "client",
    "rpc": "client",
    "queue.publish": "producer",
    "queue.submit": "producer",
    "queue.process": "consumer",
    "queue.task": "consumer",
}
"""How an `op` begins → the kind of span."""

_STATUSES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    409: "already_exists",
    413: "failed_precondition",
    429: "resource_exhausted",
    499: "cancelled",
    501: "unimplemented",
    503: "unavailable",
    504: "deadline_exceeded",
}
_FINE, _FAULT_OF_OURS = 400, 500


def kind_of(op: str) -> str:
    """Say which kind of span an op is."""
    for prefix, kind in _KINDS.items():
        if op == prefix or op.startswith(prefix + "."):
            return kind
    return "internal"


def name_of(op: str, name: str) -> str:
    """Name the span; of a statement, only what is no data."""
    if op == "db" or op.startswith("db."):
        from qmon_sdk.sql_text import sanitized

        return sanitized(name)[:MAX_NAME] or op
    return name or op or "span"


def status_of(http_status: int) -> str:
    """Say in Sentry's words how a request went."""
    if http_status < _FINE:
        return OK
    return _STATUSES.get(
        http_status, "internal_error" if is_fault_of_ours(http_status) else "invalid_argument"
    )


def is_fault_of_ours(http_status: int) -> bool:
    """Say whether a server failed, and not its caller."""
    return http_status >= _FAULT_OF_OURS
