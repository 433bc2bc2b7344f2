"""Where Sentry's scopes are kept: as layers of qmon's one immutable scope.

Sentry has three: global, isolation (one to a request) and current (one to a block). Ours is one to
a context, and blocks restore what was before them; so writing to the isolation scope is writing to
this scope and to what every block up to the request's beginning will restore.
"""

from __future__ import annotations

from qmon_sdk.context import EMPTY, REQUEST, SCOPE, ScopeBlock, enter, with_entries
from qmon_sdk.protocol.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from qmon_sdk.context import Scope as Kept

    Change = Callable[[Kept], Kept]

    class Layer(Protocol):
        """Somewhere to read and change what is kept."""

        def read(self) -> Kept: ...
        def change(self, change: Change) -> None: ...


EXTRA = "extra"
"""The context that holds what `set_extra` was told."""


class Said(Record):
    """What a scope says about its errors that qmon's scope has no word for."""

    level: str = ""
    fingerprint: tuple[str, ...] | None = None
    transaction: str = ""
    processors: tuple[Callable[[dict[str, Any], dict[str, Any]], Any], ...] = ()


NOTHING = Said()


class Current:
    """The scope of this block."""

    def read(self) -> Kept:
        return SCOPE.get()

    def change(self, change: Change) -> None:
        enter(change(SCOPE.get()))


class IsolationBlock(ScopeBlock):
    """A block that keeps for itself even what is written to the isolation scope."""

    __slots__ = ()


class Isolation(Current):
    """The scope of this request: what is written here outlives the block it is written in."""

    def change(self, change: Change) -> None:
        super().change(change)
        block = SCOPE.get().block
        while block is not None and not isinstance(block, IsolationBlock):
            block.before = change(block.before)
            block = block.before.block
        request = REQUEST.get()
        if block is None and request is not None and SCOPE.get().block is not None:
            request.scope = change(request.scope)


class Held:
    """A scope of its own, which nothing is recorded in until it is handed to a capture."""

    def __init__(self, kept: Kept = EMPTY) -> None:
        self.kept = kept

    def read(self) -> Kept:
        return self.kept

    def change(self, change: Change) -> None:
        self.kept = change(self.kept)


CURRENT, ISOLATION = Current(), Isolation()
GLOBAL = Held()
"""What is said of everything in this process."""


def said_of(kept: Kept) -> Said:
    """Read what Sentry's words said in a scope."""
    said: Said = kept.said or NOTHING
    return said


def saying(kept: Kept, **changes: Any) -> Kept:
    """Make a scope that says something more."""
    return kept.replace(said=said_of(kept).replace(**changes))


def joined(below: Kept, above: Kept) -> Kept:
    """Lay one scope over another: what the upper one says wins."""
    contexts = with_entries(below.contexts, above.contexts)
    if EXTRA in below.contexts and EXTRA in above.contexts:
        contexts[EXTRA] = with_entries(below.contexts[EXTRA], above.contexts[EXTRA])
    return below.replace(
        user=above.user or below.user,
        user_id=above.user_id or below.user_id,
        tags=with_entries(below.tags, above.tags),
        flags=with_entries(below.flags, above.flags),
        contexts=contexts,
        breadcrumbs=(*below.breadcrumbs, *above.breadcrumbs),
        said=_both(said_of(below), said_of(above)),
    )


def _both(below: Said, above: Said) -> Said:
    if below is NOTHING or above is NOTHING:
        return above if below is NOTHING else below
    return Said(
        level=above.level or below.level,
        fingerprint=below.fingerprint if above.fingerprint is None else above.fingerprint,
        transaction=above.transaction or below.transaction,
        processors=(*below.processors, *above.processors),
    )
