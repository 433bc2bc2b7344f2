"""`init` in Sentry's words, and the client it makes."""

from __future__ import annotations

from qmon_sdk import start
from qmon_sdk.client import SILENT, current, guarded

from .bridge import the_bridge
from .options import settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, Self

VERSION = "2.75.0"
"""The version of Sentry's SDK whose words these are."""

_NO_EFFECT = "sentry: no effect: "


def init(dsn: str | None = None, **options: Any) -> Started:
    """Begin to watch this process, told in Sentry's words.

    A `dsn` of an agent (`http://qmon_...@host:7690/1`) leads there; one of Sentry's own does
    nothing, and the agent is found at its socket. As in Sentry, spans are kept only with
    `traces_sample_rate` or `traces_sampler`. Options that have no effect are named in
    `qmon_sdk.stats().trouble`, as are those that nobody knows.
    """
    ours, idle = settled({"dsn": dsn, **options})
    start.init(**ours)
    for name in idle:
        not_kept(name)
    return Started()


@guarded
def not_kept(what: str) -> None:
    """Count something that Sentry does and qmon does not."""
    trouble = current().trouble
    key = _NO_EFFECT + what
    trouble[key] = trouble.get(key, 0) + 1


class Started:
    """What `init` answers: leaving its block, as was done long ago, ends the client."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        get_client().close()


class Client:
    """A handle on the client in charge; made with options of Sentry's, it starts one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if args or options:
            init(*args, **options)

    @property
    def options(self) -> Mapping[str, Any]:
        """What `init` was told, and what came of it."""
        settings, bridge = current().settings, the_bridge()
        names = ("release", "environment", "sample_rate", "traces_sample_rate", "max_breadcrumbs")
        known = {name: getattr(settings, name) for name in (*names, "send_default_pii")}
        return known if bridge is None else {**known, **bridge.options}

    @property
    def dsn(self) -> str | None:
        """Where it sends to, as it was told."""
        return self.options.get("dsn")

    def is_active(self) -> bool:
        """Say whether anything is kept."""
        return current() is not SILENT

    def __bool__(self) -> bool:
        return self.is_active()

    def should_send_default_pii(self) -> bool:
        """Say whether personal data may be kept that nobody set on purpose."""
        return bool(current().settings.send_default_pii)

    def get_integration(self, name_or_class: Any) -> None:
        """Find none: qmon's are in `qmon_sdk.stats().integrations`."""
        del name_or_class

    def capture_event(self, event: Mapping[str, Any], hint: Any = None, scope: Any = None) -> Any:
        """Keep an event made by hand."""
        from .capture import capture_event

        return capture_event(event, hint, scope)

    def flush(self, timeout: float | None = None, callback: Any = None) -> None:
        """Send what there is."""
        flush(timeout, callback)

    def close(self, timeout: float | None = None, callback: Any = None) -> None:
        """Send what there is, and end."""
        del callback
        start.shutdown(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_CLIENT = Client()


def get_client() -> Client:
    """Return the client in charge; it is not active when there is none."""
    return _CLIENT


def is_initialized() -> bool:
    """Say whether anything is kept."""
    return _CLIENT.is_active()


def flush(
    timeout: float | None = None, callback: Callable[[int, float], None] | None = None
) -> None:
    """Send what there is; waits up to `timeout` seconds, by default as long as an exit may."""
    del callback
    start.flush(current().settings.shutdown_timeout if timeout is None else timeout)


async def flush_async(
    timeout: float | None = None,  # noqa: ASYNC109 - Sentry's signature
    callback: Callable[[int, float], None] | None = None,
) -> None:
    """Send what there is, without holding up the event loop."""
    import asyncio

    await asyncio.to_thread(flush, timeout, callback)
