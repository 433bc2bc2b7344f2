"""FastAPI: what Starlette's integration does, with the whole path of routes in included routers."""

from __future__ import annotations

from .starlette import take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Watch


class FastAPIIntegration:
    """Watches where FastAPI takes routes of its own; Starlette's does the rest."""

    needs = ("starlette",)

    def install(self, watch: Watch) -> None:
        from fastapi.routing import APIRoute

        watch.before(APIRoute, "handle", _take)


def _take(route: Any, scope: dict[str, Any], *_: Any) -> None:
    """Name the request by the whole path: newer FastAPIs keep prefixes of routers apart from it."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    included = context is not None and context.original_route is route
    take(scope, context.path if included else route.path, route.endpoint)
