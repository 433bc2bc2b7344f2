"""Answers questions beside the writing, a few at a time, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from qmon_agent.domain.errors import QmonError

from . import link
from .engine import Engine, Question
from .watch import StoppedError, Watch

AT_ONCE = 2
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

    def ask(self, asked: link.Ask) -> None:
        """Queue a question."""
        watch = self._open[asked.number] = Watch()
        self._threads.submit(self._answer, asked, watch)

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
        question = Question(
            sql=asked.sql, limit=asked.limit, timeout_s=asked.timeout_s, state=asked.state
        )
        try:
            self._ready()
            if not watch.cancelled:
                result = self._engine.ask(question, watch)
                self._say(link.Answer(number=asked.number, result=result))
        except StoppedError:
            return  # whoever asked has given up, or sees the link end
        except QmonError as error:
            self._say(link.Refusal(number=asked.number, message=str(error)))
        except Exception as error:  # noqa: BLE001 - the engine is broken, not the question
            self._say(link.Refusal(number=asked.number, message=f"the store failed: {error}"))
            self._fail(error)
        finally:
            self._open.pop(asked.number, None)
