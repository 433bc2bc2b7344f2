"""What a connection is told: everything one commit settled, in one message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from qmon_agent.ingest.admission import Admission
from qmon_agent.ingest.outcome import Fate, Outcome
from qmon_sdk.protocol.frames import Ack, encode_ack, pack_length

# Longer reasons help nobody, and they come from bytes that strangers sent.
_REASON_CHARACTERS = 200
# A message has to fit into the receiver's buffer, and into what a socket takes whole.
_AT_ONCE = 250


class Answers:
    """Collects outcomes for one connection and sends one message per turn of the loop."""

    def __init__(
        self, send: Callable[[bytes], None], *, refuse: Callable[[], None], admission: Admission
    ) -> None:
        self._send = send
        self._refuse = refuse
        self._admission = admission
        self._acknowledged: list[int] = []
        self._rejected: list[tuple[int, str]] = []
        self._due = False
        self.awaited = 0
        """Frames taken from this connection and not answered yet."""

    @property
    def is_complete(self) -> bool:
        """Whether everything taken from this connection has been answered."""
        return not self.awaited and not self._due

    def expect(self, answer: asyncio.Future[Outcome]) -> None:
        self.awaited += 1
        if answer.done():
            self._settle(answer)
        else:
            answer.add_done_callback(self._settle)

    def _settle(self, answer: asyncio.Future[Outcome]) -> None:
        self.awaited -= 1
        outcome = answer.result()
        if outcome.fate is Fate.REFUSED:
            self._refuse()
        elif outcome.fate is Fate.REJECTED:
            self._rejected.append((outcome.sequence, outcome.reason[:_REASON_CHARACTERS]))
        else:
            self._acknowledged.append(outcome.sequence)
        if not self._due:
            # The frames of one commit settle in one turn of the loop, so one message tells all.
            self._due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._due = False
        acknowledged, rejected = self._acknowledged, self._rejected
        self._acknowledged, self._rejected = [], []
        for start in range(0, max(len(acknowledged), len(rejected)), _AT_ONCE):
            end = start + _AT_ONCE
            ack = Ack(
                sequences=tuple(acknowledged[start:end]),
                credit=self._admission.credit,
                rejected=tuple(rejected[start:end]),
            )
            self._send(pack_length(encode_ack(ack)))
