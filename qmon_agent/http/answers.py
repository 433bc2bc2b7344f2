"""Questions in JSON, answers in JSON, and our errors as statuses."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from qmon_agent.domain.errors import (
    ConfigError,
    InvalidMetricError,
    InvalidThresholdError,
    NotFoundError,
    QmonError,
    QueryError,
    StoreError,
)

T = TypeVar("T")

STATUSES: dict[type[QmonError], int] = {
    NotFoundError: 404,
    QueryError: 400,
    ConfigError: 400,
    InvalidMetricError: 400,
    InvalidThresholdError: 400,
    StoreError: 503,
}


def json_answer(document: Any, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(document), status_code=status, media_type="application/json"
    )


async def question(request: Request, kind: type[T]) -> T:
    """The body as a record; raises QueryError that names the field."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind, strict=True)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as problem:
        raise QueryError(f"the request: {problem}") from None


def trouble_answer(problem: QmonError) -> Response:
    """What went wrong, in the words of the error."""
    status = next((code for kind, code in STATUSES.items() if isinstance(problem, kind)), 500)
    document: dict[str, Any] = {"error": str(problem), "kind": type(problem).__name__}
    if nearest := getattr(problem, "nearest", ()):
        document["nearest"] = list(nearest)
    if field := getattr(problem, "field", ""):
        document["field"] = field
    return json_answer(document, status)
