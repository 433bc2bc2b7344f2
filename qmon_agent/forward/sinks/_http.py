"""How sinks speak HTTP: one sender with timeouts, gzip and TLS, and one reading of what is said."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.reaching import words_of
from qmon_agent.domain.retry_after import seconds_of
from qmon_agent.forward.batch import Batch

from . import DELIVERED, Delivery

if TYPE_CHECKING:
    # Imported when the first batch is sent: requests is 15 MB nobody else needs.
    import requests

# The receiver's fault or its wish, so it may pass; so is every 5xx.
_TRY_AGAIN = frozenset({408, 425, 429})
# A person has to change a token or an address; until then what is sent waits, and none is lost.
_FOR_A_PERSON = {
    301: "moved: say the new address as the endpoint",
    302: "moved: say the new address as the endpoint",
    307: "moved: say the new address as the endpoint",
    308: "moved: say the new address as the endpoint",
    401: "it does not know us: look at the token",
    403: "we may not: look at the token's rights",
}
# The lowest effort: twice the bytes of the highest for a quarter of the time.
_EFFORT = 1
_SAID = 200
# A whole request may take so many timeouts; each of them is for a part of it.
_PATIENCE = 3


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted at once; `key` is the same whenever the same is posted again."""

    place: str = ""
    """Where to, if not where all goes."""
    path: str = ""
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    key: str = ""
    sort: str = ""
    """What the receiver counts it as, where that matters."""
    rows: int = 0
    """How many signals it carries."""
    rejected: int = 0
    """How many further ones cannot be told there, whoever asks; `problem` says why."""
    problem: str = ""
    instead: Callable[[], Post] | None = None
    """What is posted when this is refused."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the receiver said, as far as it is read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - that is what success means in HTTP


class HttpSink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A batch as posts, each until it has arrived; when a batch comes again, only the rest of them.

    Redirects are not followed: nobody moves our signals without being asked to.
    """

    headers: dict[str, str] = {}
    """Further headers, for example `Authorization`."""
    timeout_s: Seconds = 10.0
    """How long the receiver may take to connect, and to answer."""
    compress: bool = True
    """Whether bodies are sent as gzip."""
    ca_file: str = ""
    """Certificates to trust instead of the usual ones, as PEM."""
    certificate: str = ""
    """File of our own certificate chain, for a receiver that wants one (mutual TLS)."""
    key: str = ""
    """File of that certificate's private key, unless it is in the same file."""
    proxy_from_environment: bool = False
    """Whether `HTTPS_PROXY` and its like are followed."""
    _session: Any = None
    _adapter: Any = None
    _batch: str = ""
    _rows: int = 0
    _rejected: int = 0
    _detail: str = ""
    _outcome: Literal["delivered", "refused"] = "delivered"
    _left: Any = None
    _next: Any = None
    _answer_bytes: int = 1 << 16

    def __post_init__(self) -> None:
        check_address("endpoint", self.place())

    def place(self) -> str:
        """The address that paths are added to."""
        raise NotImplementedError

    def posts(self, batch: Batch) -> Iterator[Post]:
        """The batch as posts: the same ones each time, made when they are asked for."""
        raise NotImplementedError

    def judge(self, post: Post, answer: Answer) -> Delivery:
        """What an answer means; for a receiver that takes a part of a post, more than this."""
        return judged(post, answer, self.place())

    def hold_s(self, post: Post) -> float:  # noqa: ARG002 - for sinks whose receiver asked for it
        """How long not to send this, whatever the forwarder's patience."""
        return 0.0

    def pack(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        """The body as it travels, and the headers that say so."""
        if not self.compress:
            return body, {}
        return gzip.compress(body, _EFFORT, mtime=0), {"content-encoding": "gzip"}

    def send(self, batch: Batch) -> Delivery:
        try:
            if batch.id != self._batch:
                self._begin(batch)
            while self._next is not None:
                delivery = self._post(self._next)
                if delivery.outcome == "retry":
                    return delivery
                self._tally(self._next, delivery)
                self._next = next(self._left, None)
        except Exception:
            self._batch = ""  # begins anew: what makes the posts has ended
            raise
        self._batch = ""
        return self._all(batch)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def describe(self) -> Mapping[str, Any]:
        return {"endpoint": without_secrets(self.place())}

    def _begin(self, batch: Batch) -> None:
        self._left = self.posts(batch)
        self._rows = self._rejected = 0
        self._detail, self._outcome = "", "delivered"
        self._next = next(self._left, None)
        self._batch = batch.id

    def _tally(self, post: Post, delivery: Delivery) -> None:
        self._rows += post.rows + post.rejected
        self._rejected += delivery.rejected + post.rejected
        self._detail = delivery.detail or post.problem or self._detail
        if delivery.outcome == "refused":
            self._outcome = "refused"

    def _all(self, batch: Batch) -> Delivery:
        return Delivery(
            outcome=self._outcome,
            detail=self._detail,
            rejected=self._rejected,
            passed_over=max(0, batch.signals - self._rows),
        )

    def _post(self, post: Post) -> Delivery:
        if not post.rows:
            return DELIVERED
        if post.problem and not post.body:
            return Delivery(outcome="refused", detail=post.problem, rejected=post.rows)
        if (wait_s := self.hold_s(post)) > 0:
            return Delivery(outcome="retry", detail="as long as asked for", retry_after_s=wait_s)
        delivery = self._exchange(post)
        if delivery.outcome == "refused" and post.instead is not None:
            return self._exchange(post.instead())
        return delivery

    def _exchange(self, post: Post) -> Delivery:
        import requests

        body, packed = self.pack(post.body)
        session = self._open()
        try:
            with (
                self._adapter.within(_PATIENCE * self.timeout_s),
                session.post(
                    (post.place or self.place()).rstrip("/") + post.path,
                    data=body,
                    headers=self.headers_of(post) | packed,
                    timeout=self.timeout_s,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                return self.judge(post, self._read(answer))
        except (requests.RequestException, OSError) as error:
            said = words_of(error, self._adapter.course, limit_s=self.timeout_s)
            return Delivery(outcome="retry", detail=said or f"{type(error).__name__}: {error}")

    def _open(self) -> requests.Session:
        import requests

        if self._session is None:
            from qmon_agent.patience import PatientAdapter

            self._session, self._adapter = requests.Session(), PatientAdapter()
            self._session.mount("http://", self._adapter)
            self._session.mount("https://", self._adapter)
            self._session.trust_env = self.proxy_from_environment
            self._session.verify = self.ca_file or True
            if self.certificate:
                both = (self.certificate, self.key)
                self._session.cert = both if self.key else self.certificate
        session: requests.Session = self._session
        return session

    def headers_of(self, post: Post) -> dict[str, str]:
        return {
            "content-type": post.content_type,
            "user-agent": "qmon-agent",
            "idempotency-key": post.key,
            **post.headers,
            **self.headers,
        }

    def _read(self, answer: requests.Response) -> Answer:
        said = next(answer.iter_content(self._answer_bytes), b"")
        return Answer(status=answer.status_code, headers=answer.headers, body=said)


class EndpointSink(HttpSink, kw_only=True, forbid_unknown_fields=True):
    """An HTTP sink whose address is said as it is."""

    endpoint: str
    """Where to, as `https://host:port`."""

    def place(self) -> str:
        return self.endpoint


def judged(post: Post, answer: Answer, place: str) -> Delivery:
    """Taken, worth trying again, a person's to mend (which waits as well), or refused for good."""
    if answer.is_well:
        return DELIVERED
    detail = f"HTTP {answer.status} from {post.path.lstrip('/') or without_secrets(place)}"
    if answer.status in _TRY_AGAIN or answer.status >= 500:  # noqa: PLR2004 - the receiver's fault, so it may pass
        wait_s = seconds_of(answer.headers.get("retry-after", ""), time.time())
        return Delivery(outcome="retry", detail=detail, retry_after_s=wait_s)
    if answer.status in _FOR_A_PERSON:
        return Delivery(outcome="retry", detail=f"{detail}: {_FOR_A_PERSON[answer.status]}")
    return Delivery(outcome="refused", detail=f"{detail}{_said(answer)}", rejected=post.rows)


def _said(answer: Answer) -> str:
    """The first line of what the receiver says to it, if that is a text."""
    text = answer.body[:_SAID].decode("utf-8", "replace").strip()
    line = text.splitlines()[0] if text else ""
    return f": {line}" if line.isprintable() and line else ""


def check_address(option: str, address: str) -> None:
    """Raise ConfigError unless it is one that can be posted to."""
    split = urlsplit(address)
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise ConfigError(option, f"{address!r} is no http or https address")


def without_secrets(address: str) -> str:
    split = urlsplit(address)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"
