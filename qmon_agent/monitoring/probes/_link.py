"""Connections with a deadline that holds for all of a check, and the phases of its way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

from . import Number, UnknownError

_DAY_S = 86_400.0
_MOST_BYTES = 4096  # of an answer


class Stopwatch:
    """One check's time: what is left of it, and how long each phase took."""

    def __init__(self, timeout_s: float) -> None:
        """Begins now."""
        self.phases: dict[str, float] = {}
        self._until = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Raises TimeoutError where nothing is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds up where a phase comes again, as after a redirect."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - begun

    def numbers(self) -> tuple[Number, ...]:
        """The phases as what was measured."""
        return tuple(
            Number(metric="probe.phase.duration", value=s, unit="s", attributes={"probe.phase": p})
            for p, s in self.phases.items()
        )


@contextlib.contextmanager
def connected(host: str, port: int, watch: Stopwatch) -> Iterator[socket.socket]:
    """A TCP connection to the first address that takes one; cut when the time is up."""
    with watch.phase("dns"):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as link:
            try:
                with watch.phase("connect"):
                    link.settimeout(watch.left_s)
                    link.connect(address)
            except OSError as reason:
                problem = reason
                continue
            with _cut_off(link, watch):
                yield link
            return
    raise problem


@contextlib.contextmanager
def _cut_off(link: socket.socket, watch: Stopwatch) -> Iterator[None]:
    # A peer that sends a byte now and then would never exceed the timeout of one reading.
    with link.dup() as own:
        timer = threading.Timer(watch.left_s, _shut, (own,))
        timer.daemon = True
        timer.start()
        try:
            yield
        except TimeoutError:
            raise
        except (OSError, ValueError):
            _ = watch.left_s  # what was cut off ends in many ways, and is one thing
            raise
        finally:
            timer.cancel()
            timer.join()


def _shut(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def heard_on(link: socket.socket, watch: Stopwatch, is_enough: Callable[[bytes], bool]) -> bytes:
    """What the other side says until it is enough, it ends, or it is too much."""
    heard = b""
    while not is_enough(heard) and len(heard) < _MOST_BYTES:
        link.settimeout(watch.left_s)
        chunk = link.recv(_MOST_BYTES)
        heard += chunk
        if not chunk:
            _ = watch.left_s  # cut off, or ended by the other side
            break
    return heard


def secured(
    link: socket.socket, host: str, *, watch: Stopwatch, context: ssl.SSLContext
) -> ssl.SSLSocket:
    """TLS on it; raises ssl.SSLError where the other side cannot be trusted."""
    with watch.phase("tls"):
        link.settimeout(watch.left_s)
        return context.wrap_socket(link, server_hostname=host)


def trusting(ca: str, *, verify: bool) -> ssl.SSLContext:
    """Whom to trust: the system's authorities, those of a file, or anybody."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except OSError as problem:
        raise UnknownError(f"no authorities to trust: {problem}") from problem
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def days_left(link: ssl.SSLSocket) -> float | None:
    """Until the certificate ends; nothing where it was not verified."""
    certificate = link.getpeercert() or {}
    end = certificate.get("notAfter")
    if not isinstance(end, str):
        return None
    return (ssl.cert_time_to_seconds(end) - time.time()) / _DAY_S


def expiry(days: float | None) -> tuple[Number, ...]:
    """The number of the certificate's rest, if it is known."""
    if days is None:
        return ()
    return (Number(metric="probe.tls.expires_in", value=days * _DAY_S, unit="s"),)
