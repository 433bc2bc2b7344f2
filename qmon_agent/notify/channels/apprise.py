"""Everything else: the hundred and more services that the library Apprise knows, by their URLs."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.notify.message import Message

from . import DELIVERED, Delivery
from ._fitting import told

HOW = "python -m pip install 'qmon[apprise]'"
_TYPES = {"critical": "failure", "error": "failure", "warning": "warning"}


def _threads() -> ThreadPoolExecutor:
    # Two: what hangs past the deadline must not keep the next attempt waiting.
    return ThreadPoolExecutor(2, "qmon-apprise")


class AppriseChannel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One URL is one channel. Apprise says yes or no and not why: every no is tried again.

    It knows no keys, so that a message may come twice; where qmon has a channel of its own for a
    service, that one knows more.
    """

    url: str
    """Apprise's address of the service, for example `matrixs://user:pass@host/#room`."""
    timeout_s: Seconds = 10.0
    """How long the service may take to connect, and to answer."""
    _service: Any = None
    _pool: ThreadPoolExecutor = msgspec.field(default_factory=_threads)

    def __post_init__(self) -> None:
        try:
            # Here, since it brings 28 MB that an agent without it need not carry.
            from apprise import Apprise
        except ModuleNotFoundError:
            raise ConfigError("url", f"the library apprise is not installed; {HOW}") from None
        # It says to logs what may be a secret, and nothing that the outbox does not keep.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._service = Apprise.instantiate(self.url, suppress_exceptions=True)
        if self._service is None:
            raise ConfigError("url", "is no address that Apprise understands")
        # Ours is the pace of attempts, and ours the patience.
        self._service.request_rate_per_sec = 0
        self._service.socket_connect_timeout = self.timeout_s
        self._service.socket_read_timeout = self.timeout_s

    async def send(self, message: Message) -> Delivery:
        """From a thread: Apprise waits for the answer."""
        loop = asyncio.get_running_loop()
        is_told = await loop.run_in_executor(self._pool, self._notify, message)
        return DELIVERED if is_told else Delivery(outcome="retry", detail="Apprise says no")

    def _notify(self, message: Message) -> bool:
        notice = message.notice
        kind = _TYPES.get(notice.severity, "info")
        links = "".join(f"\n{each.name}: {each.link}" for each in message.actions)
        return bool(
            self._service.notify(
                title=message.title,
                body=told(message) + links,
                notify_type="success" if notice.status == "resolved" else kind,
                body_format="text",
            )
        )
