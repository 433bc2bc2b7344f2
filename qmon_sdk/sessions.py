"""Sessions: one visit of one user; healthy, errored or crashed by what happened in it."""

from __future__ import annotations

from itertools import count
from os import getpid
from time import perf_counter_ns

from .anatomy import fields_of
from .captures import LEFT, MARK
from .client import current, guarded, verb
from .context import SCOPE, new_scope, set_user
from .either_with import EitherWith
from .protocol.signals import Session
from .recorder.cells import draw
from .recorder.endings import is_clean
from .rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any, Self

    from .recorder.ring import Ring

APPLICATION = "application"
HEALTHY, ERRORED, CRASHED, ABNORMAL = "healthy", "errored", "crashed", "abnormal"
# Leaving by one of these is no failure: the work was withdrawn, or a generator closed.
_WITHDRAWN = frozenset({"CancelledError", "GeneratorExit"})


class OpenSession:
    """A session that has not ended; errors inside it are counted here, and in those around it."""

    __slots__ = (
        "_began",
        "_pid",
        "_ring",
        "_slot",
        "_started",
        "_user_id",
        "crashed_by",
        "errors",
        "mode",
        "outer",
        "sequence",
        "session_id",
        "status",
    )

    def __init__(self, mode: str, outer: OpenSession | None, *, started: int) -> None:
        self.session_id = f"{draw(128):032x}"
        self.mode = mode
        self.outer = outer
        self.errors = 0
        self.crashed_by = ""
        self.status = HEALTHY
        self.sequence = count(1)
        self._started = started
        self._began = perf_counter_ns()
        self._pid = getpid()
        self._ring: Ring | None = None
        self._slot = 0
        self._user_id = ""

    def note(self, ring: Ring, user_id: str) -> None:
        """Let the flight ring know of it, in case that it never ends."""
        self._ring, self._user_id = ring, user_id
        self._slot = ring.open_session((self.session_id, self.mode, user_id, self._started))
        if self._slot:  # there are few of these, however many sessions nobody ends
            _open[self._slot] = self

    def saw(self, *, handled: bool, again: bool = False, error_id: str = "") -> None:
        """Count an error that was kept; one seen `again` may only turn out not to be handled.

        What was kept of it may have left as handled: then this session says what became of it.
        """
        self.errors += not again
        if not handled:
            self.status = CRASHED
            self.crashed_by = error_id or self.crashed_by
        elif self.status == HEALTHY:
            self.status = ERRORED
        if self._ring is not None:
            self._ring.session_errors(self._slot, self.errors)
        if self.outer is not None:
            self.outer.saw(handled=handled, again=again, error_id=error_id)

    def left_by(self, error: BaseException | None) -> None:
        """Judge what ended it."""
        if error is None or type(error).__name__ in _WITHDRAWN:
            return
        if isinstance(error, Exception):
            fields = fields_of(error)
            self.saw(handled=False, again=MARK in fields, error_id=fields.get(MARK, ""))
            fields.setdefault(LEFT, (SCOPE.get().user_id, self.session_id))
        elif not (isinstance(error, SystemExit) and is_clean(error)):
            self.status = ABNORMAL

    def end(self, user_id: str | None = None) -> None:
        """Tell that it ended, in the process where it began; a forked child has no say.

        Of whom it was at the end its caller knows, or else of whom it was at the beginning.
        """
        client = current()
        if not client.recording or getpid() != self._pid:
            return
        self._pid = 0  # once is enough: at exit a thread may still be inside of it
        if self._ring is not None:
            if _open.get(self._slot) is self:
                del _open[self._slot]
            self._ring.close_session(self._slot)
        client.emit(
            Session(
                time=client.now(),
                session_id=self.session_id,
                user_id=self._user_id if user_id is None else user_id,
                status=self.status,
                started=self._started,
                duration_ns=perf_counter_ns() - self._began,
                errors=self.errors,
                attributes=self._attributes(),
            )
        )

    def _attributes(self) -> dict[str, str]:
        crash = {"error_id": self.crashed_by} if self.crashed_by else {}
        return {"mode": self.mode, **crash}


_open: dict[int, OpenSession] = {}  # by their places in the flight ring


def end_all() -> None:
    """End what is open still: the process ends in good order."""
    for opened in list(_open.values()):
        _end(opened)


class session(EitherWith):  # noqa: N801 - a context manager reads like a function
    """Make a block one session of one user; `with` or `async with`.

    It ends `crashed` when an exception leaves the block or an unhandled error was captured in it,
    `errored` when a handled one was, `abnormal` when the program was told to stop, else `healthy`.
    Its end is sent at once. What was set inside (user, tags) is forgotten after it.
    """

    __slots__ = ("_block", "_mode", "_session")

    def __init__(
        self, *, user: Mapping[str, Any] | str | None = None, mode: str = APPLICATION
    ) -> None:
        self._block = new_scope(user={"id": user} if isinstance(user, str) else user)
        self._mode = mode
        self._session: OpenSession | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._block.__enter__()
        self._session = _begin(self._mode)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and tell how it went."""
        opened, self._session = self._session, None
        if opened is not None:
            opened.left_by(error)
            _end(opened)
        self._block.__exit__(kind, error, trace)

    @property
    def session_id(self) -> str:
        """The id that every signal inside carries; "" when nobody records."""
        return self._session.session_id if self._session is not None else ""


@verb
def start_session(
    *, user: Mapping[str, Any] | str | None = None, mode: str = APPLICATION
) -> str | None:
    """Begin a session in this context, where no block can stand around it; return its id."""
    end_session()
    if user is not None:
        set_user({"id": user} if isinstance(user, str) else user)
    opened = _begin(mode)
    return opened.session_id if opened is not None else None


@verb
def end_session(status: str | None = None) -> None:
    """End the session of this context, as what happened in it says or as the caller says."""
    scope = SCOPE.get()
    if scope.session is None:
        return
    if status is not None:
        scope.session.status = label(status)
    _end(scope.session)
    outer = scope.session.outer
    outer_id = outer.session_id if outer is not None else ""
    SCOPE.set(scope.replace(session=outer, session_id=outer_id))


@guarded
def _begin(mode: str) -> OpenSession | None:
    client = current()
    if not client.recording:
        return None
    scope = SCOPE.get()
    mode = label(mode)
    opened = OpenSession(mode, scope.session, started=client.now())
    if client.recorder is not None:
        opened.note(client.recorder.ring(), scope.user_id)
    anonymous_id = scope.anonymous_id
    if mode == APPLICATION and not anonymous_id and not scope.user_id:
        anonymous_id = f"{draw(128):032x}"  # whoever it is, it is the same one until the end
    SCOPE.set(
        scope.replace(session=opened, session_id=opened.session_id, anonymous_id=anonymous_id)
    )
    return opened


@guarded
def _end(opened: OpenSession) -> None:
    scope = SCOPE.get()
    opened.end(scope.user_id if scope.session is opened else None)
