"""Who and what the running code is about: one immutable scope in one context variable."""

from __future__ import annotations

from contextvars import ContextVar
from itertools import count
from time import time_ns

from .client import current, guarded, verb
from .either_with import EitherWith
from .json_text import members, quoted, texts
from .protocol.records import Record
from .recorder.people import NOBODY, PEOPLE
from .rendering import label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any, Protocol

    from .recorder.people import Who
    from .sessions import OpenSession

    class Request(Protocol):
        """Somebody's request, while it is answered."""

        scope: Scope
        crumbs: int


MAX_ENTRIES = 100  # tags, flags, contexts: each
MAX_KEY = 200
MAX_TEXT = 1024


class Scope(Record):
    """What is known about the work in hand; a change makes another one, seen by nobody outside."""

    user: Mapping[str, str] = {}
    user_id: str = ""
    anonymous_id: str = ""
    session_id: str = ""
    session: OpenSession | None = None
    tags: Mapping[str, str] = {}
    contexts: Mapping[str, Mapping[str, Any]] = {}
    flags: Mapping[str, str] = {}
    breadcrumbs: tuple[str, ...] = ()  # each as JSON
    tracestate: str = ""
    baggage: str = ""
    block: ScopeBlock | None = None  # the `new_scope` it lives in
    who: Who = NOBODY  # the number of user and session
    said: Any = None  # what `compat` is to do with the errors of this scope

    # Spans refer to their scope by the thousand: what it is must be cheap to ask.
    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__

    def replace(self, **changes: Any) -> Scope:
        """Make another with `changes` in it, several times faster than other records do."""
        values = list(self)
        for name, value in changes.items():
            values[_PLACES[name]] = value
        if "user_id" in changes or "session_id" in changes:
            values[_WHO] = PEOPLE.meet(values[_USER], values[_SESSION])
        return tuple.__new__(Scope, values)  # type: ignore[type-var]


_PLACES = {field.name: place for place, field in enumerate(Scope.FIELDS)}
_USER, _SESSION, _WHO = (_PLACES[name] for name in ("user_id", "session_id", "who"))
EMPTY = Scope()
SCOPE: ContextVar[Scope] = ContextVar("qmon_scope", default=EMPTY)
_homes = count(1)
REQUEST: ContextVar[Request | None] = ContextVar("qmon_request", default=None)
"""Who hears of new scopes: threads and tasks that answer a request have copies of its context."""


@verb
def set_user(user: Mapping[str, Any] | str | None) -> None:
    """Say who the work is for, until the scope ends: facts, or only an id; `None` forgets.

    `id` (or `user_id`) is kept with every signal, `anonymous_id` with events, the rest with errors.
    """
    about = labels_of({"id": user} if user and isinstance(user, str) else user or {})
    user_id = person(about.get("id") or about.get("user_id", ""))
    scope = SCOPE.get()
    anonymous_id = about.get("anonymous_id", scope.anonymous_id)
    enter(scope.replace(user=about, user_id=user_id, anonymous_id=anonymous_id))


@verb
def set_tag(key: str, value: Any) -> None:
    """Label the errors of this scope; the newest 100 tags of up to 1,024 characters stay."""
    scope = SCOPE.get()
    enter(scope.replace(tags=with_entries(scope.tags, labels_of({key: value}))))


@verb
def set_tags(tags: Mapping[str, Any]) -> None:
    """Label the errors that happen in this scope with several tags at once."""
    scope = SCOPE.get()
    enter(scope.replace(tags=with_entries(scope.tags, labels_of(tags))))


@verb
def set_context(name: str, context: Mapping[str, Any] | None) -> None:
    """Keep a snapshot of some facts beside the errors of this scope; `None` removes it."""
    scope = SCOPE.get()
    kept = {key: value for key, value in scope.contexts.items() if key != name}
    if context is not None:
        kept = with_entries(kept, {name: labels_of(context)})
    enter(scope.replace(contexts=kept))


@verb
def set_flag(flag: str, value: Any, *, variant: str | None = None) -> None:
    """Note how a feature flag was answered here; the newest 100 stay."""
    scope = SCOPE.get()
    answer = label(value if variant is None else variant, MAX_TEXT)
    enter(scope.replace(flags=with_entries(scope.flags, {flag: answer})))


@verb
def add_breadcrumb(
    message: str | None = None,
    *,
    category: str | None = None,
    level: str = "info",
    type: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Remember a step; the newest `max_breadcrumbs` go with every error of this scope."""
    client = current()
    if not client.recording:
        return
    crumb = crumb_of(message, (category, level, type), data=data)
    scope = SCOPE.get()
    enter(scope.replace(breadcrumbs=with_crumb(scope.breadcrumbs, crumb)))


def crumb_of(
    message: Any, kinds: tuple[Any, Any, Any], *, data: Mapping[str, Any] | None = None
) -> str:
    """Write a breadcrumb down, without its secrets; `kinds` are its category, level and type."""
    scrubber = current().scrubber
    category, level, sort = kinds
    inside = [
        ("time", str(time_ns())),
        ("message", quoted(scrubber.value(message))),
        ("category", quoted(scrubber.word(label(category)))),
        ("level", quoted(label(level))),
        ("type", quoted(label(sort))),
    ]
    if data:
        inside.append(("data", texts(scrubber.labels(data))))
    # As JSON at once: an error that takes a hundred of them along has only to join them.
    return "{" + members(*inside) + "}"


def with_crumb(before: tuple[str, ...], crumb: str) -> tuple[str, ...]:
    """Add a breadcrumb as the newest; the oldest beyond `max_breadcrumbs` go."""
    client = current()
    if client.recorder is not None:
        client.recorder.crumb(crumb, scope=_home())
    limit = client.settings.max_breadcrumbs
    return (*before, crumb)[-limit:] if limit > 0 else ()


def _home() -> int:
    """Number the block or the request that a breadcrumb is forgotten with; 0 is the program."""
    home = SCOPE.get().block or REQUEST.get()
    if home is None:
        return 0
    if not home.crumbs:
        home.crumbs = next(_homes)
    return home.crumbs


@guarded
def forget_crumbs(home: ScopeBlock | Request) -> None:
    """Let the flight ring know that a block or a request is over: later deaths are not its."""
    number, home.crumbs = home.crumbs, 0
    client = current()
    if client.recorder is not None:
        client.recorder.scope_over(number)


def enter(scope: Scope) -> None:
    """Make it this context's scope, and tell the request that is being answered in it."""
    SCOPE.set(scope)
    request = REQUEST.get()
    if request is not None and scope.block is None:
        request.scope = scope


def new_scope(
    *,
    fresh: bool = False,
    user: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    contexts: Mapping[str, Mapping[str, Any]] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> ScopeBlock:
    """Open a scope that ends with its `with` or `async with`: what is set inside stays inside.

    It begins with what is known outside, or with nothing when it is to be `fresh`.
    """
    return ScopeBlock((user, tags, contexts, flags), fresh=fresh)


class ScopeBlock(EitherWith):
    """One use of `new_scope`; leaving it in a foreign context, or twice, does nothing."""

    __slots__ = ("_filling", "_fresh", "before", "crumbs", "is_open")

    def __init__(self, filling: tuple[Mapping[str, Any] | None, ...], *, fresh: bool) -> None:
        self._filling = filling
        self._fresh = fresh
        self.before = EMPTY
        self.crumbs = 0
        self.is_open = False

    def __enter__(self) -> Scope:
        self.before = SCOPE.get()
        self.is_open = True
        SCOPE.set(Scope(block=self) if self._fresh else self.before.replace(block=self))
        if any(self._filling):
            self._fill()
        return SCOPE.get()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_open = False
        if self.crumbs:
            forget_crumbs(self)
        # Not `Token.reset`: a generator may be closed in another task, whose scope is not ours.
        if SCOPE.get().block is self:
            SCOPE.set(self._outside())

    @guarded
    def _fill(self) -> None:
        user, tags, contexts, flags = self._filling
        if user is not None:
            set_user(user)
        set_tags(tags or {})
        for name, context in (contexts or {}).items():
            set_context(name, context)
        for flag, value in (flags or {}).items():
            set_flag(flag, value)

    def _outside(self) -> Scope:
        """Find the nearest scope around that has not ended: blocks may close in any order."""
        outside = self.before
        while outside.block is not None and not outside.block.is_open:
            outside = outside.block.before
        return outside


def person(user_id: str) -> str:
    """Write who it is for without a card's number, also before `init`."""
    known: str | None = current().scrubber.person(user_id)
    if known is not None:
        return known
    from .scrub import Scrubber
    from .settings import Settings

    return Scrubber(Settings()).person(user_id)


def labels_of(mapping: Mapping[str, Any]) -> dict[str, str]:
    """Take a bounded snapshot as texts; values of `None` are left out."""
    snapshot: dict[str, str] = {}
    for key, value in mapping.items():
        if len(snapshot) == MAX_ENTRIES:
            break
        if value is not None:
            snapshot[label(key, MAX_KEY)] = label(value, MAX_TEXT)
    return snapshot


def with_entries(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Add entries as the newest; the oldest beyond the bound go."""
    merged = {key: value for key, value in before.items() if key not in more} | dict(more)
    for _ in range(len(merged) - MAX_ENTRIES):
        del merged[next(iter(merged))]
    return merged
