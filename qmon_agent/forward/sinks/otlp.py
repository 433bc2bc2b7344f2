"""An OpenTelemetry collector, or whoever else takes OTLP by HTTP as protobuf."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch

from . import Delivery

if TYPE_CHECKING:
    # Imported when the first batch is sent: protobuf and requests are 25 MB nobody else needs.
    import requests

    from qmon_agent.forward.otlp.requests import Request

# The receiver's fault or its wish, so it may pass; every 5xx is, whatever OTLP says of some.
_TRY_AGAIN = frozenset({408, 425, 429})
_ANSWER_BYTES = 1 << 16
# The lowest effort: twice the bytes of the highest for a quarter of the time.
_EFFORT = 1


class OtlpSink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Spans become traces, points metrics, and everything else log records, many of them events."""

    endpoint: str
    """Where to, as `http://collector:4318`; `/v1/traces` and its like are added."""
    headers: dict[str, str] = {}
    """Further headers, for example `Authorization`."""
    timeout_s: float = 10.0
    """How long the receiver may take to connect, and to answer."""
    compress: bool = True
    """Whether bodies are sent as gzip."""
    ca_file: str = ""
    """Certificates to trust instead of the usual ones, as PEM."""
    proxy_from_environment: bool = False
    """Whether `HTTPS_PROXY` and its like are followed."""
    _session: Any = None
    _batch: str = ""
    _rejected: int = 0
    _detail: str = ""
    _outcome: Literal["delivered", "refused"] = "delivered"
    _left: Any = None
    _next: Any = None

    def __post_init__(self) -> None:
        address = urlsplit(self.endpoint)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ConfigError("endpoint", f"{self.endpoint!r} is no http or https address")

    def send(self, batch: Batch) -> Delivery:
        """Request by request; when a batch comes again, those that have arrived do not."""
        if batch.id != self._batch:
            self._begin(batch)
        while self._next is not None:
            delivery = self._post(self._next)
            if delivery.outcome == "retry":
                return delivery
            self._rejected += delivery.rejected
            self._detail = delivery.detail or self._detail
            if delivery.outcome == "refused":
                self._outcome = "refused"
            self._next = next(self._left, None)
        self._batch = ""
        return Delivery(outcome=self._outcome, detail=self._detail, rejected=self._rejected)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def describe(self) -> Mapping[str, Any]:
        address = urlsplit(self.endpoint)
        return {"endpoint": f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"}

    def _begin(self, batch: Batch) -> None:
        from qmon_agent.forward.otlp.requests import requests_of

        self._left = requests_of(batch)
        self._next = next(self._left, None)
        self._batch, self._rejected = batch.id, 0
        self._detail, self._outcome = "", "delivered"

    def _post(self, request: Request) -> Delivery:
        """Redirects are not followed: nobody moves our signals without being asked to."""
        import requests

        if request.problem:
            return Delivery(outcome="refused", detail=request.problem, rejected=request.rows)
        url = f"{self.endpoint.rstrip('/')}/{request.lane.path}"
        body = gzip.compress(request.body, _EFFORT, mtime=0) if self.compress else request.body
        try:
            with self._open().post(
                url,
                data=body,
                headers=self._headers(request),
                timeout=self.timeout_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return self._delivery(request, answer)
        except (requests.RequestException, OSError) as error:
            return Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")

    def _open(self) -> requests.Session:
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = self.proxy_from_environment
            self._session.verify = self.ca_file or True
        session: requests.Session = self._session
        return session

    def _headers(self, request: Request) -> dict[str, str]:
        encoding = {"content-encoding": "gzip"} if self.compress else {}
        return {
            "content-type": "application/x-protobuf",
            "user-agent": "qmon-agent",
            "idempotency-key": request.key,
            **encoding,
            **self.headers,
        }

    def _delivery(self, request: Request, answer: requests.Response) -> Delivery:
        from qmon_agent.forward.otlp.requests import rejected_by

        status = answer.status_code
        detail = f"HTTP {status} from {request.lane.path}"
        said = next(answer.iter_content(_ANSWER_BYTES), b"")
        if 200 <= status < 300:  # noqa: PLR2004 - that is what success means in HTTP
            rejected, why = rejected_by(request.lane, said)
            return Delivery(outcome="delivered", detail=why, rejected=rejected)
        if status in _TRY_AGAIN or status >= 500:  # noqa: PLR2004 - the receiver's fault, so it may pass
            wait_s = _seconds(answer.headers.get("retry-after", ""))
            return Delivery(outcome="retry", detail=detail, retry_after_s=wait_s)
        return Delivery(outcome="refused", detail=detail, rejected=request.rows)


def _seconds(retry_after: str) -> float:
    """What `Retry-After` says, as seconds or as a date; zero when it says nothing."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
