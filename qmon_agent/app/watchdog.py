"""The watchdog: a thread of its own that looks at every critical loop, and keeps systemd posted.

On the loop it would be silent just when the loop hangs. It asks for nothing while all is well, and
a loop that is found stuck twice in a row is named in the log, in the status, and in a file that
`doctor` reads when nobody answers any more.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from qmon_agent.app.stacks import stacks
from qmon_agent.app.systemd import notify, watchdog_interval_s

INTERVAL_S = 10.0
ANSWER_S = 5.0
# Who comes later than this was itself stopped, or the machine was: that is nobody's hang.
_LATE_S = 5.0

Troubles = Mapping[str, str]


class Watchdog:
    """Says `WATCHDOG=1` as long as every loop turns."""

    def __init__(
        self,
        look: Callable[[], Troubles],
        *,
        control: Path,
        hung: Path,
        note: Callable[[str], None],
        interval_s: float = INTERVAL_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        """On the running loop. `look` is called from the thread; `hung` is the file it writes."""
        self.troubles: Troubles = {}
        """The loops that are stuck, and in what; seen twice, so for certain."""
        self._look = look
        self._control = control
        self._file = hung
        self._note = note
        self._answer_s = answer_s
        wanted_s = watchdog_interval_s()
        self._interval_s = min(wanted_s / 2, interval_s) if wanted_s else interval_s
        self._loop = asyncio.get_running_loop()
        self._is_stopped = threading.Event()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="qmon-watchdog", daemon=True)
        self._seen: Troubles = {}

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        self._is_stopped.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        notify("WATCHDOG=1")
        while not self._is_stopped.is_set():
            before = time.monotonic()
            if self._is_stopped.wait(self._interval_s):
                return
            if time.monotonic() - before < self._interval_s + _LATE_S:
                self._judge({**self._look(), **self._asked()})
            if not self.troubles:
                notify("WATCHDOG=1")

    def _judge(self, found: Troubles) -> None:
        """One look may meet a loop on the way from a long turn to the next."""
        certain = {name: trouble for name, trouble in found.items() if name in self._seen}
        self._seen = found
        news = certain.keys() - self.troubles.keys()
        was_hung, self.troubles = bool(self.troubles), certain
        for name in sorted(news):
            self._note(f"loop {name} hangs: {certain[name]}")
        if certain:
            self._write(certain)
        elif was_hung:
            self._note("every loop turns again")
            self._file.unlink(missing_ok=True)

    def _asked(self) -> Troubles:
        """What only an answer proves: the event loop takes calls, and HTTP answers."""
        self._answered.clear()
        try:
            self._loop.call_soon_threadsafe(self._answered.set)
        except RuntimeError:  # it is closed: the agent has stopped
            return {}
        late = f"no answer within {self._answer_s:g} s"
        if not self._answered.wait(self._answer_s):
            return {} if self._is_stopped.is_set() else {"events": late}
        if self._is_stopped.is_set() or _answers(self._control, self._answer_s):
            return {}
        return {"http": late}

    def _write(self, certain: Troubles) -> None:
        found = {
            "pid": os.getpid(),
            "time": time.time(),
            "loops": certain,
            "stacks": stacks(self._loop),
        }
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(found))
            fresh.replace(self._file)
        except OSError:
            return  # the log has it


def _answers(control: Path, timeout_s: float) -> bool:
    connection = http.client.HTTPConnection("localhost", timeout=timeout_s)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(timeout_s)
    try:
        connection.sock.connect(str(control))
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
