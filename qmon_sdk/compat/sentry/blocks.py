"""Scopes that end: `new_scope`, `isolation_scope`, and how they were written before."""

from __future__ import annotations

from contextlib import contextmanager

from qmon_sdk.context import new_scope as native_scope

from .layers import IsolationBlock
from .scope import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_NOTHING = (None, None, None, None)


def get_current_scope() -> Scope:
    """Return the scope of this block."""
    return Scope.get_current_scope()


def get_isolation_scope() -> Scope:
    """Return the scope of this request."""
    return Scope.get_isolation_scope()


def get_global_scope() -> Scope:
    """Return the scope of this process."""
    return Scope.get_global_scope()


@contextmanager
def new_scope() -> Iterator[Scope]:
    """Open a scope: what it is told is forgotten at the end of the block."""
    with native_scope():
        yield get_current_scope()


@contextmanager
def isolation_scope() -> Iterator[Scope]:
    """Open a scope that keeps for itself what `set_tag` and its like are told in the block."""
    with IsolationBlock(_NOTHING, fresh=False):
        yield get_isolation_scope()


@contextmanager
def use_scope(scope: Scope) -> Iterator[Scope]:
    """Let what a scope holds count in the block."""
    with native_scope():
        get_current_scope().update_from_scope(scope)
        yield scope


use_isolation_scope = use_scope


def push_scope(
    callback: Callable[[Scope], None] | None = None,
) -> AbstractContextManager[Scope] | None:
    """Open a scope, as `isolation_scope` does, or call a function in one."""
    if callback is None:
        return isolation_scope()
    with isolation_scope() as scope:
        callback(scope)
    return None


@contextmanager
def _configuring() -> Iterator[Scope]:
    yield get_isolation_scope()


def configure_scope(
    callback: Callable[[Scope], None] | None = None,
) -> AbstractContextManager[Scope] | None:
    """Give the scope of this request, to a block or to a function."""
    if callback is None:
        return _configuring()
    callback(get_isolation_scope())
    return None
