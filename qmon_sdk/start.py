"""Where the SDK is put together and taken apart: `init`, `flush`, `shutdown`, `stats`."""

from __future__ import annotations

import os
import sys

from .accelerator import speedups
from .client import SILENT, Client, current, failed, guarded, install
from .locations import default_socket, default_spool
from .protocol.signals import Log
from .recorder import lifecycle
from .recorder.delivery import Delivery
from .recorder.outgoing import Parts
from .recorder.recorder import Recorder
from .recorder.sites import SITES
from .sampling import Sampler
from .settings import SettingsError, settle
from .stats import Books, Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .client import SilentClient
    from .settings import Settings
    from .transports import Transport

_LAST_WORDS = "qmon_sdk.last_words"

_DSN = "name the place by the first argument, as in init('unix:///run/qmon/qmon.sock')"


def init(
    dsn: str | None = None, *, transport: Transport | None = None, **options: Any
) -> Client | SilentClient:
    """Begin to watch this process; calling it again replaces the client before.

    `options` are the fields of `Settings`; further keywords become resource attributes. Everything
    is optional: the service is named after the program, and the agent is found at its usual socket.
    Reads the environment (`QMON_*`, then OpenTelemetry's and Sentry's names); `QMON_DISABLED=1`
    keeps every verb a no-op. `transport` takes the place of what the DSN would open (tests pass
    `transports.memory.MemoryTransport()`). An option that cannot be takes its default and is named
    in `stats().trouble` and, for the agent, in a log line of `qmon_sdk`; under pytest and `debug`
    it raises `SettingsError`. Nothing else is ever raised.
    """
    settings, problems = settle({"dsn": dsn, **options})
    problems += _unknown(settings)
    if transport is not None and not hasattr(transport, "send"):
        problems.append(f"transport: no way to an agent, but a {type(transport).__name__}: {_DSN}")
        transport = None
    if problems and (settings.debug or "pytest" in sys.modules):
        raise SettingsError("; ".join(problems))
    before = current().trouble
    shutdown(timeout=0)
    if not settings.enabled:
        return SILENT
    client = _built(settings, transport)
    client.trouble |= before  # who asks has not seen it yet, and nobody has mended it
    install(client)
    _take_off(client)
    lifecycle.hook()
    client.metrics.wake_for_polls()
    _integrate(client)
    _tell_of(problems, client)
    return client


configure = init


def _built(settings: Settings, transport: Transport | None) -> Client:
    from .metrics import Fold
    from .scrub import Scrubber

    settings = settings.replace(
        socket=_socket(settings), spool_dir=settings.spool_dir or default_spool()
    )
    settings = settings.replace(flight_dir=_flight_dir(settings, transport))
    books = Books(settings.on_drop)
    scrubber = Scrubber(settings)
    settings = settings.replace(resource=scrubber.labels(settings.resource))
    SITES.scrub(scrubber.labels)
    metrics = Fold(settings, books, scrubber)
    delivery = Delivery(
        _connector(settings, books, transport), books=books, budget=settings.max_buffer_bytes
    )
    recorder = Recorder(
        Parts(
            settings=settings,
            books=books,
            scrubber=scrubber,
            metrics=metrics,
            sampler=Sampler(settings.traces_sample_rate, settings.traces_sampler),
            delivery=delivery,
        )
    )
    metrics.wake, metrics.hurry = recorder.wake_up, recorder.hurry
    return Client(
        settings=settings, books=books, scrubber=scrubber, metrics=metrics, recorder=recorder
    )


def _socket(settings: Settings) -> str:
    """Say which agent is meant: the ring of this process is named after its socket."""
    scheme, _, path = settings.dsn.partition(":")
    if scheme == "unix" and path:
        return path.removeprefix("//")
    return settings.socket or default_socket()


@guarded
def _take_off(client: Client) -> None:
    """Have the ring from the start: who dies before it has recorded anything is missed as well."""
    if client.settings.flight_dir:
        client.recorder.ring()


def _flight_dir(settings: Settings, transport: Transport | None) -> str:
    """Say where this process's flight ring is: nowhere, if no agent on this machine reads it."""
    from .protocol.flight import folder_of

    is_here = transport is None and (not settings.dsn or settings.dsn.startswith("unix:"))
    if not is_here or settings.flight_dir or not hasattr(os, "getuid"):
        return settings.flight_dir
    return folder_of(settings.socket, os.getuid())


def _connector(settings: Settings, books: Books, transport: Transport | None) -> Any:
    """Say how a process connects; asked again by every forked child."""
    from .transports import open_transport
    from .transports.spool import Spool

    def lost(kind: str, rows: int) -> None:
        books.dropped(kind, "spool_overflow", rows)

    def connect(process: bytes) -> tuple[Transport, Spool]:
        way = transport if transport is not None else open_transport(settings)
        return way, Spool(settings.spool_dir, process, settings.max_spool_bytes, on_drop=lost)

    return connect


@guarded
def _tell_of(problems: list[str], client: Client) -> None:
    """Say what is wrong with the options: here to who asks, and by a line to who runs the agent."""
    for problem in problems:
        said = f"init: {problem}"
        client.trouble[said] = 1
        body = client.scrubber.text(said)
        line = Log(time=client.now(), level="warn", body=body, template="init", logger="qmon_sdk")
        client.recorder.keep(line)


def _unknown(settings: Settings) -> list[str]:
    if not any(isinstance(one, str) and one[:1] == "-" for one in settings.integrations):
        return []
    from .integrations import problems_of

    return problems_of(settings.integrations)


def _integrate(client: Client) -> None:
    if not client.settings.integrations:
        return
    from .integrations import integrate

    integrate(client)


def flush(timeout: float = 2.0) -> bool:
    """Send everything recorded so far; blocks up to `timeout` seconds.

    `True` when the agent has it on disk, or, with no agent there, when it is in the spool.
    """
    return bool(_flush(timeout))


@guarded
def _flush(timeout: float) -> bool:
    recorder = current().recorder
    return True if recorder is None else recorder.flush(timeout)


def shutdown(timeout: float | None = None) -> bool:
    """Flush within `timeout` seconds (default: `shutdown_timeout`), spool the rest, and stop.

    Every verb is a no-op from here on, until `init` is called again.
    """
    return bool(_shutdown(timeout))


@guarded
def _shutdown(timeout: float | None) -> bool:
    current().metrics.poll(now=True)
    client = install(SILENT)
    recorder = client.recorder
    if recorder is None:
        return True
    for integration in list(client.integrations.values()):
        _removed(integration)
    if last_words := sys.modules.get(_LAST_WORDS):
        last_words.close_last_words()
    done = recorder.close(client.settings.shutdown_timeout if timeout is None else timeout)
    SILENT.last = _said_of(client, recorder)
    return done


close = shutdown


def _removed(integration: Any) -> None:
    remove = getattr(integration, "remove", None)
    if remove is None:
        return
    try:
        remove()
    except Exception as error:  # noqa: BLE001 - one integration must not keep the rest
        failed("shutdown", error)


def stats() -> Stats:
    """Say what was captured, acknowledged, spooled, dropped and why, and what troubles qmon.

    After `shutdown`, these are the figures that it ended with.
    """
    client = current()
    recorder = client.recorder
    if recorder is not None:
        return _said_of(client, recorder)
    last = SILENT.last or Stats(accelerated=speedups is not None)
    return last.replace(trouble={**last.trouble, **client.trouble})


def _said_of(client: Client | SilentClient, recorder: Recorder) -> Stats:
    read = recorder.stats()
    return read.replace(
        trouble={**read.trouble, **client.trouble},
        integrations={name: str(state) for name, state in client.integrations.items()}
        | _faulthandler(),
        accelerated=speedups is not None,
    )


def _faulthandler() -> dict[str, str]:
    """Say who is told of fatal signals, where the recorder has asked for it."""
    last_words = sys.modules.get(_LAST_WORDS)
    state = last_words.state_of_last_words() if last_words is not None else ""
    return {"faulthandler": state} if state else {}
