"""Answers questions beside the writing, a few at a time, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from qmon_agent.domain.errors import QmonError

from . import link
from .engine import Engine, Question

AT_ONCE = 2
Say = Callable[[link.Said], None]
Fail = Callable[[BaseException], None]


class Desk:
    """Takes queries and cancellations from the link; says answers over it."""

    def __init__(self, engine: Engine, *, say: Say, fail: Fail) -> None:
        self._engine = engine
        self._say = say
        self._fail = fail
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="query")
        self._lock = threading.Lock()
        self._open: dict[int, Callable[[], None]] = {}

    def ask(self, asked: link.Ask) -> None:
        """Queue a question."""
        self._open[asked.number] = _nothing
        self._threads.submit(self._answer, asked)

    def cancel(self, number: int) -> None:
        """Nobody waits any more: interrupt the query, or do not begin it."""
        with self._lock:
            interrupt = self._open.pop(number, _nothing)
        interrupt()

    def close(self) -> None:
        """Interrupt everything and wait for the threads."""
        for number in list(self._open):
            self.cancel(number)
        self._threads.shutdown(cancel_futures=True)

    def _answer(self, asked: link.Ask) -> None:
        if asked.number not in self._open:
            return
        question = Question(
            sql=asked.sql, limit=asked.limit, timeout_s=asked.timeout_s, state=asked.state
        )
        try:
            result = self._engine.ask(question, lambda stop: self._running(asked.number, stop))
            self._say(link.Answer(number=asked.number, result=result))
        except QmonError as error:
            self._say(link.Refusal(number=asked.number, message=str(error)))
        except Exception as error:  # noqa: BLE001 - the engine is broken, not the question
            self._say(link.Refusal(number=asked.number, message=f"the store failed: {error}"))
            self._fail(error)
        finally:
            self._open.pop(asked.number, None)

    def _running(self, number: int, interrupt: Callable[[], None]) -> None:
        with self._lock:
            wanted = number in self._open
            if wanted:
                self._open[number] = interrupt
        if not wanted:
            interrupt()


def _nothing() -> None:
    """Stop what has not begun."""
