"""What a check says of the other side, and what only of ourselves."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import msgspec

from .probes import Checked, Outcome, UnknownError

# What the other side did, or what lies between: everything else is ours.
_THEIRS = {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EPROTO}
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_MAX_REASON = 200


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One check's outcome, the short name of a problem, and a sentence about it."""

    outcome: Outcome
    type: str = ""
    reason: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed of a probe's target, after all checks so far."""

    state: Outcome = "unknown"
    failures: int = 0
    successes: int = 0


def step(standing: Standing, outcome: Outcome, *, failures: int, successes: int) -> Standing:
    """So many in a row turn it; a check that tells nothing changes nothing."""
    if outcome == "unknown":
        return standing
    if outcome == "down":
        count = standing.failures + 1
        turns = count >= failures
        return Standing(state="down" if turns else standing.state, failures=count)
    count = standing.successes + 1
    # What was never down is up at once: nobody waits to be told that all is well.
    turns = count >= successes or standing.state == "unknown"
    return Standing(state="up" if turns else standing.state, successes=count)


def verdict_of(result: Checked | Exception) -> Verdict:
    """Down only what the other side is to blame for, as far as anybody can tell from here."""
    if isinstance(result, Checked):
        if not result.problem:
            return Verdict(outcome="up")
        found = Verdict(outcome="down", type=result.type, reason=result.problem[:_MAX_REASON])
    else:
        kind = _type_of(result)
        reason = (str(result) or type(result).__name__)[:_MAX_REASON]
        found = Verdict(outcome="down" if kind else "unknown", type=kind, reason=reason)
    if found.outcome == "down" and not _can_open():
        return Verdict(outcome="unknown", reason="this process has no file descriptors left")
    return found


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"),
    (TimeoutError, "timeout"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (ConnectionError, "connection"),
)


def _type_of(problem: Exception) -> str:
    """The short name of what the other side did; empty where it is not to blame."""
    if isinstance(problem, UnknownError):
        return ""
    if isinstance(problem, socket.gaierror):
        return "no_such_name" if problem.errno in _NO_SUCH_NAME else ""
    for kind, name in _KINDS:
        if isinstance(problem, kind):
            return name
    is_theirs = isinstance(problem, OSError) and problem.errno in _THEIRS
    return "unreachable" if is_theirs else ""


def _can_open() -> bool:
    """Who has no descriptors left sees everything down: resolver, sockets, drivers."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
