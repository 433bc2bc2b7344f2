"""A sign of life to somebody elsewhere: an agent cannot report its own death."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.reaching import words_of
from qmon_agent.settings import Heartbeat
from qmon_agent.vitals import Vitals

METHODS = ("GET", "POST", "PUT", "HEAD")
_PATIENCE_S = 5.0


class HeartbeatRunner:
    """Beats as long as the agent is well; whoever misses a beat on the other side raises alarm."""

    def __init__(
        self,
        options: Heartbeat,
        *,
        is_well: Callable[[], bool],
        check_in: Callable[[Heartbeat], None],
        vitals: Vitals,
    ) -> None:
        """`check_in` keeps a beat as a signal, which a sink carries to another agent."""
        self.error = ""
        self._options = options
        self._is_well = is_well
        self._check_in = check_in
        self._vitals = vitals
        self._thread = ThreadPoolExecutor(1, "qmon-heartbeat")

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                await self.beat()
                # What was missed is left out, not made up for.
                due = max(due + self._options.interval_s, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def beat(self) -> None:
        """One beat; none while a loop hangs or nothing is taken, for that is no life."""
        if not self._is_well():
            self._vitals.add("heartbeats_withheld")
            return
        if self._options.monitor:
            self._check_in(self._options)
        if self._options.url:
            self.error = await self._sent()
            self._vitals.add("heartbeat_failures" if self.error else "heartbeats_sent")

    def describe(self) -> dict[str, Any]:
        return {
            "to": self._to(),
            "monitor": self._options.monitor,
            "sent": self._vitals.count("heartbeats_sent"),
            "withheld": self._vitals.count("heartbeats_withheld"),
            "failures": self._vitals.count("heartbeat_failures"),
            "error": self.error,
        }

    def _to(self) -> str:
        """Without the path, which is the secret of most who take heartbeats, and without names."""
        parts = urlsplit(self._options.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.hostname else ""

    async def _sent(self) -> str:
        """What went wrong, or nothing."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._options.timeout_s + _PATIENCE_S):
                return await loop.run_in_executor(self._thread, self._send)
        except TimeoutError:
            return f"{self._to()}: no answer within {self._options.timeout_s:g} s"

    def _send(self) -> str:
        # Here, since it brings 15 MB that an agent without heartbeat need not carry.
        import requests

        from qmon_agent.patience import PatientAdapter

        options, adapter = self._options, PatientAdapter()
        with requests.Session() as session:
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            session.trust_env = False
            try:
                with adapter.within(options.timeout_s):
                    answer = session.request(
                        options.method,
                        options.url,
                        data=options.body.encode() or None,
                        headers={"user-agent": "qmon-agent", **options.headers},
                        timeout=options.timeout_s,
                        allow_redirects=False,
                        stream=True,
                    )
            except requests.RequestException as error:
                # Its own words have the whole address in them.
                said = words_of(error, adapter.course, limit_s=options.timeout_s)
                return f"{self._to()}: {said or type(error).__name__}"
            return (
                ""
                if answer.ok and not answer.is_redirect
                else f"{self._to()}: HTTP {answer.status_code}"
            )


def check_heartbeat(options: Heartbeat) -> None:
    """Raises ConfigError for what cannot beat."""
    if options.url and urlsplit(options.url).scheme not in {"http", "https"}:
        raise ConfigError("heartbeat.url", "is no http or https address")
    if options.method not in METHODS:
        raise ConfigError("heartbeat.method", f"{options.method!r} is none of {', '.join(METHODS)}")
    if not options.interval_s:
        raise ConfigError("heartbeat.interval_s", "has to be more than nothing")
