"""requests: a client span for each request that is sent, redirects and retries included."""

from __future__ import annotations

from qmon_sdk.client import guarded

from ._calls import begin, going_on, place_of, watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._calls import Call
    from ._watch import Watch

REDIRECTS = frozenset((301, 302, 303, 307, 308))


class RequestsIntegration:
    """Watches every session; urllib3's integration sends the trace along, where nobody sees it."""

    needs = ("urllib3",)

    def install(self, watch: Watch) -> None:
        """Stand around `Session.send`, which the sessions call again for each redirect."""
        from requests import Session

        watch.wrap(Session, "send", lambda send: watched(send, _opening))


@guarded
def _opening(_: Any, request: Any, **__: Any) -> Call | None:
    method, url = request.method or "", request.url or ""
    going = going_on()
    if going is not None and going.status in REDIRECTS:
        going.again(method, *place_of(url))
        return None
    return begin(method, url)
