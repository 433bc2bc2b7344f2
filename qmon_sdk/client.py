"""The one current client, and the one guard between qmon and the program it watches."""

from __future__ import annotations

import sys
from functools import wraps
from time import time_ns

from .accelerator import speedups
from .aiming import aim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    from .captures import Captures
    from .metrics import Fold
    from .protocol.signals import Signal
    from .recorder.recorder import Recorder
    from .scrub import Scrubber
    from .settings import Settings
    from .stats import Books, Stats

    P = ParamSpec("P")
    R = TypeVar("R")


_MOST_TROUBLES = 256  # their names may have an application's words in them


class Client:
    """What `init` built. Verbs reach it by `current()`; only `start` makes one."""

    recording = True

    def __init__(
        self,
        *,
        settings: Settings,
        books: Books,
        scrubber: Scrubber,
        metrics: Fold,
        recorder: Recorder,
    ) -> None:
        self.settings = settings
        self._hook = settings.before_send
        self.ledger = books
        self.scrubber = scrubber
        self.metrics = metrics
        self.recorder = recorder
        self.captures: Captures | None = None  # made by the first error
        self.integrations: dict[str, Any] = {}
        self.trouble: dict[str, int] = {}

    def emit(self, signal: Signal, error: BaseException | None = None) -> bool:
        """Send one signal before returning: the lane of what must survive whatever comes next.

        The application's `before_send` sees it first; `False` when that wants it dropped. `error`
        is the exception it was made of.
        """
        seen = signal if self._hook is None else self._screened(signal, error)
        if seen is None:
            return False
        self.recorder.emit(seen)
        return True

    def keep(self, signal: Signal, error: BaseException | None = None) -> bool:
        """Keep one signal in the flight ring until the next flush: the lane of what comes often.

        The application's `before_send` sees it first, as with `emit`.
        """
        seen = signal if self._hook is None else self._screened(signal, error)
        if seen is None:
            return False
        self.recorder.keep(seen)
        return True

    def _screened(self, signal: Signal, error: BaseException | None) -> Signal | None:
        from .screening import screened

        hook = self._hook
        return signal if hook is None else screened(hook, signal, self.ledger, error=error)

    def now(self) -> int:
        """Return the time, in nanoseconds since 1970 UTC."""
        return time_ns()

    def before_fork(self) -> None:
        """Make ready for the process to be copied."""
        self.recorder.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self.recorder.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Become the client of a process of its own."""
        self.recorder.after_fork_in_child()

    def at_exit(self, deadline: float) -> None:
        """Hand over what is buffered, until `deadline` in monotonic seconds."""
        self.recorder.at_exit(deadline)


class _Silence:
    """Something that accepts every call and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return _nothing

    def __bool__(self) -> bool:
        return False


def _nothing(*_: Any, **__: Any) -> None:
    return None


class SilentClient:
    """The client before `init` and after `shutdown`: every verb works and nothing is kept."""

    recording = False
    recorder = None
    ledger: Any = _Silence()
    metrics: Any = _Silence()
    scrubber: Any = _Silence()

    def __init__(self) -> None:
        self.trouble: dict[str, int] = {}
        self.integrations: dict[str, Any] = {}
        self.last: Stats | None = None
        """What the client before had to say of itself in the end."""

    @property
    def settings(self) -> Settings:
        """The defaults."""
        from .settings import Settings

        return Settings()

    def emit(self, signal: Signal, error: BaseException | None = None) -> bool:  # noqa: ARG002 - as the other does
        """Keep nothing."""
        return False

    def keep(self, signal: Signal, error: BaseException | None = None) -> bool:  # noqa: ARG002 - as the other does
        """Keep nothing."""
        return False

    def now(self) -> int:
        """Return the time, in nanoseconds since 1970 UTC."""
        return time_ns()


SILENT = SilentClient()
_client: Client | SilentClient = SILENT


def current() -> Client | SilentClient:
    """Return the client in charge; never `None`."""
    return _client


def install(client: Client | SilentClient) -> Client | SilentClient:
    """Put a client in charge and return the one it replaces."""
    global _client
    before, _client = _client, client
    families = client.metrics.families if client.metrics else (None, None, None)
    (aim if speedups is None else speedups.aim)(*families)
    return before


def guarded(verb: Callable[P, R]) -> Callable[P, R | None]:
    """Stand between a verb and the program: count what fails inside and return `None`."""

    @wraps(verb)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return verb(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the guard: nothing of ours reaches the program
            failed(verb.__name__, error)
            return None

    return guard


def verb(function: Callable[P, R]) -> Callable[P, R | None]:
    """Guard what programs call, but let through what Python says of a call that does not fit."""

    @wraps(function)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            trace = error.__traceback__
            if isinstance(error, TypeError) and trace is not None and trace.tb_next is None:
                raise  # it did not get inside
            failed(function.__name__, error)
            return None

    return guard


def failed(where: str, error: BaseException) -> None:
    """Count an internal failure; raise it where somebody is looking: under pytest or `debug`."""
    noted(where, error)
    if isinstance(error, RecursionError | MemoryError):  # there is no room left, and not for us
        return
    if "pytest" in sys.modules or (_client.recording and _client.settings.debug):
        raise error


def noted(where: str, error: BaseException) -> None:
    """Count a failure that is no fault of ours: a hook of the application's, a library's.

    Under `debug` the first of its kind is also told on standard error.
    """
    key, trouble = f"{where}: {type(error).__name__}", _client.trouble
    if key not in trouble and len(trouble) >= _MOST_TROUBLES:
        key = "(other)"
    trouble[key] = trouble.get(key, 0) + 1
    if trouble[key] == 1 and _client.recording and _client.settings.debug and sys.stderr:
        sys.stderr.write(f"qmon: {key}: {error}\n")
