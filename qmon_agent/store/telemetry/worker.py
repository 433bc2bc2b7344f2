"""The store worker: `python -m qmon_agent.store.telemetry.worker FD`, spawned by the main process.

One thread writes, one listens to the link, a few answer queries. It leaves when the other end of
the link is closed, whatever the reason: a worker without its agent would hold the store's lock.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position, Record

from . import link
from .answers import StoreStatus
from .desk import Desk
from .engine import Engine, open_engine
from .following import Follower, Intake
from .memory import rss_bytes, spare
from .options import TelemetryOptions
from .suspect import Suspect

TEND_S = 0.25
TEND_AT_REST_S = 2.0
RESTED_S = 0.3
FRESH_S = 0.25
"""For so long a question waits for what was told of when nobody had stored anything for a while."""
LINGER_S = 1.0
"""For so long it goes on storing when told to stop; the rest waits in the journal."""
FAILED = 3
NOT_EXPORTED = "the segments could not be written; is the disk full? It will be tried again."

NOT_ERASED = (
    "not all could be written anew: is a disk full, or a server away? It will be tried again."
)
BEGUN_ANEW = "somebody was forgotten: the hot file is begun anew"


class AnewError(StoreError):
    """Nothing is wrong: the next worker is to begin with an empty hot file."""


class Worker:
    """Follows the journal, tends the engine, and says how far it is."""

    def __init__(self, wire: socket.socket, begin: link.Begin) -> None:
        self._options = begin.options
        self._wire = wire
        self._saying = threading.Lock()
        self._news = threading.Condition()
        self._committed = Position()
        self._rests_since = math.inf
        self._awaited = 0
        self._baseline = begin.journal_end
        self._replaced = False
        self._stopping = False
        self._leave_by = 0.0
        self._failure: BaseException | None = None
        self._exports: list[int] = []
        self._forgets: list[link.Forget] = []
        self._is_erasing = False
        self._failures = 0
        self._told: link.Progress | None = None
        self._engine: Engine = open_engine(begin.options)
        self._engine.hold(begin.holds)
        self._follower = Follower(
            Path(begin.options.journal),
            Intake(self._engine),
            bury=self._bury,
            suspect=Suspect(Path(begin.options.directory), careful=begin.careful),
        )
        self._desk = Desk(self._engine, say=self.say, fail=self._fail, ready=self._until_fresh)

    def run(self) -> None:
        """Work until told to stop; raises what makes going on pointless."""
        threading.Thread(target=self._listen, name="link", daemon=True).start()
        self._tell()
        while self._failure is None:
            if self._replaced:
                self._engine.begin_anew()
                raise AnewError("the journal was replaced by a new one: beginning at its start")
            began = time.monotonic()
            moved = self._engine.ready() and self._follower.follow(
                self._committed, max_bytes=self._options.batching.max_bytes
            )
            if moved:
                with self._news:
                    self._news.notify_all()
            self._answer_exports()
            self._forget()
            self._engine.tend(now=time.time_ns(), everything=self._wants_export())
            self._tell()
            if self._stopping and (not moved or time.monotonic() > self._leave_by):
                break
            self._rest(began, moved=moved)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self._desk.close()
        self._follower.close()
        self._engine.close()

    def say(self, message: link.Said) -> None:
        """Send; if nobody listens any more the link thread notices."""
        try:
            with self._saying:
                self._wire.sendall(link.packed(message))
        except OSError:
            return

    # Writing

    def _rest(self, began: float, *, moved: bool) -> None:
        """Gather for a while when little comes; go on at once when much is waiting."""
        if moved and self._behind():
            return
        gather = began + self._options.batching.interval_s - time.monotonic()
        with self._news:
            if gather > 0 and not self._stopping:
                self._news.wait_for(lambda: self._stopping, timeout=gather)
            self._rests_since = time.monotonic()
            self._news.wait_for(self._has_work, timeout=self._patience_s())
            self._rests_since = math.inf
        if not self._behind():
            spare()

    def _patience_s(self) -> float:
        """Segments that are being written want to be looked after."""
        return TEND_S if self._exports or self._forgets or self._engine.busy() else TEND_AT_REST_S

    def _until_fresh(self) -> None:
        """Who asks at rest is answered with what had come by then: it is on its way this moment."""
        with self._news:
            self._news.wait_for(self._is_fresh, timeout=FRESH_S)

    def _is_fresh(self) -> bool:
        return self._stopping or self._engine.stored.record_id >= self._awaited

    def _behind(self) -> bool:
        return self._engine.stored.record_id < self._committed.record_id

    def _has_work(self) -> bool:
        wanted = (self._exports or self._forgets) and not self._engine.busy()
        news = self._stopping or self._replaced or self._failure
        return bool(news or self._behind() or wanted)

    def _tell(self) -> None:
        progress = link.Progress(
            stored=self._engine.stored,
            exported=self._engine.exported,
            counts={**self._engine.counts(), **self._follower.counts},
            trouble=self._engine.trouble,
        )
        if progress != self._told:
            self._told = progress
            self.say(progress)

    def _answer_exports(self) -> None:
        if not self._exports or self._engine.busy():
            return
        failures = self._engine.counts().get("export_failures", 0)
        if failures > self._failures:
            self._failures = failures
            self._end_exports(lambda number: link.Refusal(number=number, message=NOT_EXPORTED))
        elif self._engine.exported == self._engine.stored:
            self._end_exports(lambda number: link.Answer(number=number))

    def _end_exports(self, answer: Callable[[int], link.Said]) -> None:
        self._tell()  # who waits for an export asks next how far it reaches
        with self._news:
            asked, self._exports = self._exports, []
        for number in asked:
            self.say(answer(number))

    def _wants_export(self) -> bool:
        exported = self._engine.exported.record_id
        return bool(self._exports) or any(each.upto > exported for each in self._forgets)

    def _forget(self) -> None:
        """One after the other; at the end of each the hot file is begun anew, without a trace."""
        if not self._forgets or self._engine.busy():
            return
        asked = self._forgets[0]
        if not self._is_erasing:
            if self._engine.exported.record_id >= asked.upto:
                self._is_erasing = True
                self._engine.erase(asked.user)
            return
        self._is_erasing = False
        erased = self._engine.erased()
        if erased is None:
            with self._news:
                self._forgets.pop(0)
            self.say(link.Refusal(number=asked.number, message=NOT_ERASED))
            return
        self._desk.close()
        self._engine.discard()
        self.say(link.Answer(number=asked.number, erased=erased))
        raise AnewError(BEGUN_ANEW)

    def _bury(self, record: Record, reason: str) -> None:
        self.say(link.Buried(record_id=record.record_id, payload=record.payload, reason=reason))

    # Listening

    def _listen(self) -> None:
        try:
            while (body := link.receive(self._wire)) is not None:
                self._hear(link.decode_to_worker(body))
        finally:
            os._exit(0)  # without the agent there is nothing to finish: the journal has it all

    def _hear(self, message: link.ToWorker) -> None:
        match message:
            case link.Ask():
                self._desk.ask(message)
            case link.Stream():
                self._desk.stream(message)
            case link.Look():
                self._desk.look(message)
            case link.Taken():
                self._desk.taken(message.number)
            case link.Cancel():
                self._desk.cancel(message.number)
            case link.Holds():
                self._engine.hold(message.holds)
                self.say(link.Answer(number=message.number))
            case link.Inspect():
                self.say(link.Answer(number=message.number, status=self._status()))
            case _:
                self._take_news(message)

    def _take_news(self, message: link.ToWorker) -> None:
        with self._news:
            match message:
                case link.Committed():
                    self._hear_committed(message.place)
                case link.Export():
                    self._exports.append(message.number)
                case link.Forget():
                    self._forgets.append(message)
                case link.Stop():
                    self._leave_by = time.monotonic() + LINGER_S
                    self._stopping = True
            self._news.notify_all()

    def _hear_committed(self, place: Position) -> None:
        """Ids never go back: new records below what is stored are those of another journal."""
        if self._baseline is not None:
            grown = place.record_id > self._baseline.record_id
            self._replaced |= grown and place.record_id < self._engine.taken.record_id
        self._baseline = self._committed = place
        if time.monotonic() - self._rests_since > RESTED_S:
            self._awaited = place.record_id

    def _fail(self, error: BaseException) -> None:
        with self._news:
            self._failure = error
            self._news.notify_all()

    def _status(self) -> StoreStatus:
        kept = self._engine.kept()
        return StoreStatus(
            state="running",
            stored=kept.reached,
            exported=self._engine.exported,
            committed=self._committed,
            rows=kept.rows,
            is_counted=kept.is_counted,
            counts={**self._engine.counts(), **self._follower.counts},
            forgotten=kept.forgotten,
            segments=kept.segments,
            segment_bytes=kept.segment_bytes,
            hot_bytes=kept.hot_bytes,
            damaged=kept.damaged,
            damaged_rows=kept.damaged_rows,
            rss_bytes=rss_bytes(),
            pid=os.getpid(),
        )


def main(descriptor: int) -> int:
    """Be told who to be, work, leave."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the agent's to handle
    wire = socket.socket(fileno=descriptor)
    body = link.receive(wire)
    if body is None:
        return 0
    begin = link.decode_to_worker(body)
    if not isinstance(begin, link.Begin):
        raise StoreError(f"told {type(begin).__name__} before Begin")
    _step_back(begin.options)
    try:
        _work(Worker(wire, begin))
    except Exception as error:  # noqa: BLE001 - whatever it is: say so, and be started anew
        anew = isinstance(error, AnewError)
        if not anew:
            print(f"qmon store worker: {error}", file=sys.stderr, flush=True)  # noqa: T201
        with suppress(OSError):
            wire.sendall(link.packed(link.Ended(reason=str(error), anew=anew)))
        return FAILED
    return 0


def _work(worker: Worker) -> None:
    """What cannot be closed behind a failure, since a question is under way, is not the failure."""
    try:
        worker.run()
    except Exception:
        with suppress(Exception):
            worker.close()
        raise
    worker.close()


def _step_back(options: TelemetryOptions) -> None:
    """The application and the agent's main process go first."""
    os.nice(options.nice)


if __name__ == "__main__":
    # Left at once: nothing is open any more, and the interpreter's own end takes a while.
    os._exit(main(int(sys.argv[1])))
