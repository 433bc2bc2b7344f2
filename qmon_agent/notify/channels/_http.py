"""How channels speak HTTP: one call with an end, and one reading of what its answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.hints import fields_of
from qmon_agent.domain.reaching import words_of
from qmon_agent.domain.retry_after import seconds_of
from qmon_agent.notify.message import Message, clean
from qmon_agent.settings.masking import MASK, secrets_of, without_shapes

from . import Delivery

# The service's fault or its wish, so it may pass; so is every 5xx.
_TRY_AGAIN = frozenset({408, 425, 429})
# By these it has taken nothing; after another it may have, and only not said so.
_UNTOLD = frozenset({401, 403, 408, 425, 429, 503})
# A person has to change a token; until then the message waits, as long as it would anyhow.
_FOR_A_PERSON = {401: "look at the token", 403: "look at the token and its rights"}
_SAYS_WHY = ("message", "error", "description", "detail", "errors")
_ANSWER_BYTES = 1 << 16
_SAID = 200


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a service."""

    url: str
    body: bytes | dict[str, str] = b""
    """As it is; or the fields of a form."""
    method: str = "POST"
    headers: dict[str, str] = {}
    picture: bytes | None = None
    """Sent beside the fields of a form, under the name `picture_as`."""
    picture_as: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the service said, as far as it is read."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def is_well(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - that is what success means in HTTP

    def document(self) -> dict[str, Any]:
        """The JSON object it is; an empty one where it is none."""
        try:
            found = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Unsent(Exception):  # noqa: N818 - what is raised is an outcome, and no error of ours
    """A call that did not do what it was to do, and what that means for the message."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        super().__init__(delivery.detail)


def _threads() -> ThreadPoolExecutor:
    # Two: a service that hangs past the deadline must not keep the next attempt waiting.
    return ThreadPoolExecutor(2, "qmon-channel")


class HttpChannel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A channel that makes calls, from a thread; a subclass says which, in `tell`.

    Redirects are not followed: nobody moves our messages without being asked to.
    """

    timeout_s: Seconds = 10.0
    """How long a call may take in all."""
    ca_file: str = ""
    """Certificates to trust instead of the usual ones, as PEM."""
    proxy_from_environment: bool = False
    """Whether `HTTPS_PROXY` and its like are followed."""
    _pool: ThreadPoolExecutor = msgspec.field(default_factory=_threads)

    TRY_AGAIN: ClassVar[frozenset[int]] = frozenset()
    """What else may pass at this service."""

    async def send(self, message: Message) -> Delivery:
        loop = asyncio.get_running_loop()
        delivery = await loop.run_in_executor(self._pool, self._told, message)
        return msgspec.structs.replace(delivery, detail=self._hidden(delivery.detail))

    def tell(self, message: Message) -> Delivery:
        """Make the calls; what `ask` raises ends it."""
        raise NotImplementedError

    def ask(self, call: Call, message: Message, *, expects: frozenset[int] = frozenset()) -> Answer:
        """One call; raises Unsent unless it went well or its status is expected."""
        answer = self._called(call)
        if answer.is_well or answer.status in expects:
            return answer
        raise Unsent(self._judged(call, answer, message))

    def wait_s(self, answer: Answer, message: Message) -> float:
        """How long the service asks to be left alone."""
        return seconds_of(answer.headers.get("retry-after", ""), message.sent_at / SECOND)

    def _told(self, message: Message) -> Delivery:
        try:
            return self.tell(message)
        except Unsent as outcome:
            return outcome.delivery

    def _judged(self, call: Call, answer: Answer, message: Message) -> Delivery:
        status = answer.status
        detail = f"{_host(call.url)}: HTTP {status}{said_by(answer)}"
        untold = status in _UNTOLD
        if status in _TRY_AGAIN | self.TRY_AGAIN or status >= 500:  # noqa: PLR2004 - its fault, so it may pass
            wait_s = self.wait_s(answer, message)
            return Delivery(outcome="retry", detail=detail, retry_after_s=wait_s, untold=untold)
        if status in _FOR_A_PERSON:
            detail = f"{detail}; {_FOR_A_PERSON[status]}"
            return Delivery(outcome="retry", detail=detail, untold=untold)
        return Delivery(outcome="refused", detail=detail)

    def _called(self, call: Call) -> Answer:
        # Here, since it brings 15 MB that an agent without such channels need not carry.
        import requests

        from qmon_agent.patience import PatientAdapter

        with requests.Session() as session:
            adapter = PatientAdapter()
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.trust_env = self.proxy_from_environment
            session.verify = self.ca_file or True
            try:
                with (
                    adapter.within(self.timeout_s),
                    session.request(
                        call.method,
                        call.url,
                        data=call.body or None,
                        headers={"user-agent": "qmon-agent", **call.headers},
                        files=_files(call),
                        timeout=self.timeout_s,
                        allow_redirects=False,
                        stream=True,
                    ) as answer,
                ):
                    adapter.course.stage = "answering"
                    body = next(answer.iter_content(_ANSWER_BYTES), b"")
                    return Answer(status=answer.status_code, headers=answer.headers, body=body)
            except (requests.RequestException, OSError) as error:
                # Its own words have the whole address in them, which is a secret of many services.
                said = words_of(error, adapter.course, limit_s=self.timeout_s)
                detail = f"{_host(call.url)}: {said or type(error).__name__}"
                untold = adapter.course.has_said_nothing
                delivery = Delivery(outcome="retry", detail=detail, untold=untold)
                raise Unsent(delivery) from None

    def _hidden(self, detail: str) -> str:
        """Services that repeat what they were told give away no secret of ours."""
        if not detail:
            return ""
        options = {name: getattr(self, name) for name in fields_of(type(self))}
        for secret in secrets_of({"channels": {"this": options}}, {}):
            detail = detail.replace(secret, MASK)
        return without_shapes(detail)


def as_json(document: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    """The body and the headers of a call that sends a document."""
    return {
        "body": msgspec.json.encode(document),
        "headers": {"content-type": "application/json; charset=utf-8", **headers},
    }


def check_address(option: str, address: str) -> None:
    """Raise ConfigError, which shows none of it, unless it is one that can be posted to."""
    try:
        split = urlsplit(address)
    except ValueError:
        split = urlsplit("")
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise ConfigError(option, "is no http or https address")


def said_by(answer: Answer) -> str:
    """What the service says to it, if it says it in one of the usual places, or in a short text."""
    document = answer.document()
    found = [document[name] for name in _SAYS_WHY if document.get(name)]
    words = "; ".join(
        ", ".join(map(str, each)) if isinstance(each, list) else str(each) for each in found
    )
    if not document:
        words = answer.body[:_SAID].decode("utf-8", "replace").strip()
    return f": {clean(words, _SAID)}" if words and not words.startswith("<") else ""


def _host(url: str) -> str:
    """With its port, where one is said: two things may listen on one machine."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _files(call: Call) -> dict[str, tuple[str, bytes, str]] | None:
    if call.picture is None:
        return None
    return {call.picture_as: ("chart.png", call.picture, "image/png")}
