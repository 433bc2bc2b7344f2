"""Answers questions beside the writing, a few at a time, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from qmon_agent.domain.errors import QmonError, QueryError

from . import link
from .answers import Freshness
from .engine import Engine, Question
from .watch import StoppedError, Watch

AT_ONCE = 2
PIECES = 8
"""So many pieces of an answer may be on their way."""
PIECE_BYTES = 256 << 10
LOOK_S = 0.1
Say = Callable[[link.Said], None]
Fail = Callable[[BaseException], None]


class Desk:
    """Takes queries and cancellations from the link; says answers over it."""

    def __init__(self, engine: Engine, *, say: Say, fail: Fail, ready: Callable[[], None]) -> None:
        """`ready` is called before each question, in its thread, and may wait a moment."""
        self._engine = engine
        self._say = say
        self._fail = fail
        self._ready = ready
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="query")
        self._open: dict[int, Watch] = {}
        self._rooms: dict[int, threading.Semaphore] = {}

    def ask(self, asked: link.Ask) -> None:
        """Queue a question."""
        watch = self._open[asked.number] = Watch()
        self._threads.submit(self._answer, asked, watch)

    def stream(self, asked: link.Stream) -> None:
        """Queue a question whose answer comes piece by piece."""
        watch = self._open[asked.number] = Watch()
        self._rooms[asked.number] = threading.Semaphore(PIECES)
        self._threads.submit(self._stream, asked, watch)

    def look(self, asked: link.Look) -> None:
        """Queue a look at segments."""
        watch = self._open[asked.number] = Watch()

        def looked() -> link.Answer:
            aside = self._engine.look(asked.files)
            return link.Answer(number=asked.number, set_aside=aside)

        self._threads.submit(self._say_what_comes, asked.number, watch, looked)

    def taken(self, number: int) -> None:
        """A piece has gone on: there is room for another."""
        if room := self._rooms.get(number):
            room.release()

    def cancel(self, number: int) -> None:
        """Nobody waits any more: interrupt the query, or do not begin it."""
        if watch := self._open.get(number):
            watch.cancel()

    def close(self) -> None:
        """Interrupt everything and wait for the threads."""
        for number in list(self._open):
            self.cancel(number)
        self._threads.shutdown(cancel_futures=True)

    def _answer(self, asked: link.Ask, watch: Watch) -> None:
        question = msgspec.structs.replace(
            _question(asked), within=asked.within, as_json=asked.as_json
        )

        def answered() -> link.Answer:
            stored = self._engine.stored.record_id  # of before: what comes meanwhile may be in it
            result = self._engine.ask(question, watch)
            fresh = Freshness.of(stored, stored)
            told = msgspec.structs.replace(result, freshness=fresh)
            return link.Answer(number=asked.number, result=told)

        self._say_what_comes(asked.number, watch, answered)

    def _stream(self, asked: link.Stream, watch: Watch) -> None:
        def streamed() -> link.Answer:
            self._engine.stream(
                _question(asked), watch, form=asked.form, put=put, left_out=left_out
            )
            return link.Answer(number=asked.number)

        def left_out(missing: Sequence[str]) -> None:
            if missing:
                self._pass_on(
                    link.Piece(number=asked.number, data=b"", rows=0, missing=tuple(missing)), watch
                )

        def put(data: bytes, rows: int) -> None:
            for start in range(0, len(data), PIECE_BYTES):
                piece = data[start : start + PIECE_BYTES]
                self._pass_on(link.Piece(number=asked.number, data=piece, rows=rows), watch)

        try:
            self._say_what_comes(asked.number, watch, streamed)
        finally:
            self._rooms.pop(asked.number, None)

    def _pass_on(self, piece: link.Piece, watch: Watch) -> None:
        """As soon as there is room for it."""
        while not self._rooms[piece.number].acquire(timeout=LOOK_S):
            if watch.cancelled:
                raise StoppedError
            if watch.overdue:
                raise QueryError("stopped: it took longer than it may")
        self._say(piece)

    def _say_what_comes(
        self, number: int, watch: Watch, answered: Callable[[], link.Answer]
    ) -> None:
        try:
            self._ready()
            if not watch.cancelled:
                self._say(answered())
        except StoppedError:
            return  # whoever asked has given up, or sees the link end
        except QmonError as error:
            self._say(link.Refusal(number=number, message=str(error)))
        except Exception as error:  # noqa: BLE001 - the engine is broken, not the question
            self._say(link.Refusal(number=number, message=f"the store failed: {error}"))
            self._fail(error)
        finally:
            self._open.pop(number, None)


def _question(asked: link.Ask | link.Stream) -> Question:
    return Question(sql=asked.sql, limit=asked.limit, timeout_s=asked.timeout_s, state=asked.state)
