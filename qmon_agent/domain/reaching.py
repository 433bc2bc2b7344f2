"""Why somebody was not reached, in words for people; without the address, maybe a secret."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead
from socket import EAI_AGAIN, gaierror
from ssl import SSLCertVerificationError, SSLEOFError, SSLError
from typing import Literal

Stage = Literal["connecting", "tls", "asked", "answering", "giving"]

_LATE: dict[Stage, str] = {
    "connecting": "no answer within {} s (while connecting)",
    "tls": "no answer within {} s (in the TLS handshake)",
    "asked": "no answer within {} s (once connected)",
    "answering": "its answer did not end within {} s",
    "giving": "it did not take all of it within {} s",
}
_GONE: dict[Stage, str] = {
    "connecting": "it hung up while connecting",
    "tls": "it hung up in the TLS handshake",
    "asked": "it hung up without an answer",
    "answering": "it hung up in the middle of its answer",
    "giving": "it hung up before it had taken all of it",
}
_HANGS_UP = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, SSLEOFError)
_DEEPEST = 20


class Course:
    """How far a call has come; written by whoever makes it, on one thread."""

    def __init__(self, stage: Stage = "connecting") -> None:
        self.stage: Stage = stage
        self.is_over = False
        """Whether its time was up, and it was ended for that."""

    @property
    def has_said_nothing(self) -> bool:
        """Whether there was no connection yet by which anything could have arrived."""
        return self.stage in {"connecting", "tls"}


def words_of(problem: BaseException, course: Course, *, limit_s: float) -> str:
    """What went wrong; nothing where only the type of what was raised would say it."""
    causes = [*_causes(problem)]
    if course.is_over or any(_is_late(each) for each in causes):
        return _LATE[course.stage].format(f"{limit_s:g}")
    found = next((said for each in causes if (said := _said(each, course.stage))), "")
    is_of_proxy = any(type(each).__name__ == "ProxyError" for each in causes)
    return f"by the proxy of the environment: {found}" if found and is_of_proxy else found


def _causes(problem: BaseException) -> Iterator[BaseException]:
    """It and what it was made of, the innermost first: libraries wrap what the system said."""
    left, seen = [problem], list[BaseException]()
    while left and len(seen) < _DEEPEST:
        each = left.pop(0)
        if each in seen:
            continue
        seen.append(each)
        inside = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        left += [one for one in inside if isinstance(one, BaseException)]
    yield from reversed(seen)


def _is_late(problem: BaseException) -> bool:
    return isinstance(problem, TimeoutError)


def _said(problem: BaseException, stage: Stage) -> str:
    if isinstance(problem, gaierror):
        is_passing = problem.errno == EAI_AGAIN
        what = "its name could not be looked up" if is_passing else "there is no such name"
        return f"{what} ({problem.strerror})"
    if isinstance(problem, ConnectionRefusedError):
        return "the connection was refused: nothing listens there"
    if isinstance(problem, IncompleteRead):
        return _GONE["answering"]
    if isinstance(problem, _HANGS_UP):
        return _GONE[stage]
    return _of_tls(problem) if isinstance(problem, SSLError) else _of_others(problem)


def _of_tls(problem: SSLError) -> str:
    if isinstance(problem, SSLCertVerificationError):
        return f"its certificate is not accepted: {problem.verify_message}"
    reason = (problem.reason or "").replace("_", " ").lower()
    return f"no TLS with it: {reason}" if reason else ""


def _of_others(problem: BaseException) -> str:
    if isinstance(problem, HTTPException):
        return "what it answered is no HTTP"
    if isinstance(problem, OSError) and problem.errno and problem.strerror:
        return f"it cannot be reached: {problem.strerror}"
    return ""
