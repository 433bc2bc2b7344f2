"""A POST to a URL: Alertmanager's body, which hundreds of receivers read, signed if asked for."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.retry_after import seconds_of
from qmon_agent.domain.signing import key_of, signed_headers
from qmon_agent.notify.alertmanager import body_of
from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery

TRY_AGAIN = frozenset({408, 425, 429})


def _threads() -> ThreadPoolExecutor:
    # Two: a receiver that hangs past the deadline must not keep the next attempt waiting.
    return ThreadPoolExecutor(2, "qmon-webhook")


class WebhookChannel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`secrets` sign by Standard Webhooks, each with one signature so that they can be rotated."""

    url: str
    """Where to."""
    secrets: tuple[str, ...] = ()
    """Keys to sign with, `whsec_` and base64 each; all of them sign."""
    headers: dict[str, str] = {}
    """Further headers, for example `Authorization`."""
    timeout_s: Seconds = 10.0
    """How long the receiver may take to answer."""
    proxy_from_environment: bool = False
    """Whether `HTTPS_PROXY` and its like are followed."""
    _keys: tuple[bytes, ...] = ()
    _pool: ThreadPoolExecutor = msgspec.field(default_factory=_threads)

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise ConfigError("url", f"{self.url!r} is no http or https address")
        self._keys = tuple(key_of(secret) for secret in self.secrets)

    async def send(self, message: Message) -> Delivery:
        """Redirects are not followed: nobody moves our messages without being asked to."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._post, message)

    def _post(self, message: Message) -> Delivery:
        # Here, since it brings 15 MB that an agent without webhooks need not carry.
        import requests

        body = body_of(message)
        with requests.Session() as session:
            session.trust_env = self.proxy_from_environment
            try:
                answer = session.post(
                    self.url,
                    data=body,
                    headers=self.headers | self._signed(message, body),
                    timeout=self.timeout_s,
                    allow_redirects=False,
                    stream=True,
                )
            except requests.RequestException as error:
                return Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")
            return _delivery(answer.status_code, answer.headers.get("retry-after", ""), message)

    def _signed(self, message: Message, body: bytes) -> dict[str, str]:
        stamp = str(message.sent_at // SECOND)
        headers = {
            "content-type": "application/json",
            "user-agent": "qmon-agent",
            "idempotency-key": message.key,
        }
        return headers | signed_headers(self._keys, name=message.key, stamp=stamp, body=body)


def _delivery(status: int, retry_after: str, message: Message) -> Delivery:
    detail = f"HTTP {status}"
    if 200 <= status < 300:  # noqa: PLR2004 - that is what success means in HTTP
        return DELIVERED
    if status in TRY_AGAIN or status >= 500:  # noqa: PLR2004 - the receiver's fault, so it may pass
        wait_s = seconds_of(retry_after, message.sent_at / SECOND)
        return Delivery(outcome="retry", detail=detail, retry_after_s=wait_s)
    return Delivery(outcome="refused", detail=detail)
