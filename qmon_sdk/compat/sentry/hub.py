"""`Hub`, as it was before Sentry's version 2: a name for the current scopes."""

from __future__ import annotations

from .blocks import configure_scope, isolation_scope, push_scope
from .scope import Scope
from .starting import flush, get_client
from .verbs import Verbs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self, TypeVar

    T = TypeVar("T")


class HubType(type):
    """Gives `Hub.current` and `Hub.main`."""

    @property
    def current(cls) -> Hub:
        """The hub in charge: all are alike."""
        return Hub()

    main = current


class Hub(Verbs, metaclass=HubType):
    """All of it is found at the module as well."""

    def __init__(self, client_or_hub: Any = None, scope: Any = None) -> None:
        del client_or_hub, scope
        self._blocks: list[Any] = []

    def __enter__(self) -> Self:
        """Begin to keep things apart, as `isolation_scope` does."""
        block = isolation_scope()
        block.__enter__()
        self._blocks.append(block)
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        if self._blocks:
            self._blocks.pop().__exit__(*error)

    @property
    def client(self) -> Any:
        """The client in charge."""
        return get_client()

    @property
    def scope(self) -> Scope:
        """The scope of the request."""
        return Scope.get_isolation_scope()

    def add_breadcrumb(self, crumb: Any = None, hint: Any = None, **kwargs: Any) -> None:
        """Remember a step."""
        self.scope.add_breadcrumb(crumb, hint, **kwargs)

    def push_scope(self, callback: Callable[[Scope], None] | None = None, **_: Any) -> Any:
        """Open a scope."""
        return push_scope(callback)

    def configure_scope(self, callback: Callable[[Scope], None] | None = None, **_: Any) -> Any:
        """Give the scope of the request."""
        return configure_scope(callback)

    def get_integration(self, name_or_class: Any) -> Any:
        """Find none: qmon's are in `qmon_sdk.stats().integrations`."""
        return self.client.get_integration(name_or_class)

    def bind_client(self, new: Any) -> None:
        """Do nothing: the client in charge is the one that `init` made."""

    def start_session(self, session_mode: str = "application") -> None:
        """Begin a session."""
        self.scope.start_session(session_mode)

    def end_session(self) -> None:
        """End it."""
        self.scope.end_session()

    def flush(self, timeout: float | None = None, callback: Any = None) -> None:
        """Send what there is."""
        flush(timeout, callback)

    def run(self, callback: Callable[[], T]) -> T:
        """Call a function that keeps things apart."""
        with self:
            return callback()
