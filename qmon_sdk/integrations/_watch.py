"""One library under watch: what was changed in it, and how it goes."""

from __future__ import annotations

from _thread import get_ident
from functools import wraps

from qmon_sdk.client import failed, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._imports import Imports

    Function = Callable[..., Any]


class Watch:
    """An integration's hands: all it changes in a library goes through here, and can be undone.

    As text it is what `stats()` says: waiting for the import, watching, or why it is off.
    """

    def __init__(self, name: str, imports: Imports, *, module: str = "") -> None:
        self.name = name
        self._module = module or name
        self.state = "waiting for its import"
        self._imports = imports
        self._undo: list[Callable[[], object]] = []
        self._trying = 0  # the thread that is taking a step

    def __str__(self) -> str:
        return self.state

    def begin(self, install: Callable[[], None]) -> None:
        """Install the integration now, or when its library is imported."""

        def step(_: Watch) -> None:
            install()
            self.state = "watching"

        self.when_imported(self._module, step)

    def when_imported(self, module: str, step: Callable[[Watch], None]) -> None:
        """Take a step now, or after the import of a further module."""

        def told() -> None:
            self.attempt(step)

        self._undo.append(lambda: self._imports.forget(told))
        self._imports.when_imported(module, told)

    def attempt(self, step: Callable[[Watch], object]) -> bool:
        """Take a step; a failure ends this integration, and nothing else: not the import."""
        if self._trying == get_ident():  # a step of a step: the first one answers for both
            step(self)
            return True
        self._trying = get_ident()
        try:
            step(self)
        except Exception as error:  # noqa: BLE001 - libraries change under us in any way
            self.remove()
            self.state = f"off: {type(error).__name__}: {error}"
            return False
        finally:
            self._trying = 0
        return True

    def wrap(self, owner: Any, name: str, wrapper: Callable[[Function], Function]) -> None:
        """Put `wrapper(original)` in the place of a function of a class or module.

        A class or static method stays one; `wrapper` sees the function inside.
        """
        held, is_own = _held(owner, name)
        method = type(held) if isinstance(held, classmethod | staticmethod) else None
        original = held.__func__ if method else getattr(owner, name)
        wrapped = wraps(original)(wrapper(original))
        wrapped.__name__ = name
        put = method(wrapped) if method else wrapped
        setattr(owner, name, put)
        self._undo.append(lambda: _put_back((owner, name), put, held if is_own else None))

    def before(self, owner: Any, name: str, observer: Function) -> None:
        """Show a function's arguments to `observer` before it runs; what that raises is counted."""
        observe = guarded(observer)

        def wrapper(original: Function) -> Function:
            def observed(*args: Any, **kwargs: Any) -> Any:
                observe(*args, **kwargs)
                return original(*args, **kwargs)

            return observed

        self.wrap(owner, name, wrapper)

    def after(self, owner: Any, name: str, observer: Function) -> None:
        """Show a function's result and arguments to `observer` once it has returned."""
        observe = guarded(observer)

        def wrapper(original: Function) -> Function:
            def observed(*args: Any, **kwargs: Any) -> Any:
                result = original(*args, **kwargs)
                observe(result, *args, **kwargs)
                return result

            return observed

        self.wrap(owner, name, wrapper)

    def undo_by(self, undo: Callable[[], object]) -> None:
        """Remember how something that was done by other means is undone."""
        self._undo.append(undo)

    def remove(self) -> None:
        """Undo everything, last first."""
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:  # noqa: BLE001 - the guard
                failed(f"{self.name} integration", error)
        self.state = "removed"


def _held(owner: Any, name: str) -> tuple[Any, bool]:
    """Find what a class or module holds under a name, unbound, and say whether it is its own."""
    for place in getattr(owner, "__mro__", (owner,)):
        if name in vars(place):
            return vars(place)[name], place is owner
    return getattr(owner, name), False  # a module may answer by `__getattr__`


def _put_back(place: tuple[Any, str], wrapped: Any, original: Any) -> None:
    """Put the original back, unless somebody else has wrapped our wrapper: theirs must work on."""
    owner, name = place
    if vars(owner).get(name) is not wrapped:
        return
    if original is None:
        delattr(owner, name)
    else:
        setattr(owner, name, original)
