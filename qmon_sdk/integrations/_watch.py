"""One library under watch: what was changed in it, and how it goes."""

from __future__ import annotations

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
        try:
            step(self)
        except Exception as error:  # noqa: BLE001 - libraries change under us in any way
            self.remove()
            self.state = f"off: {type(error).__name__}: {error}"
            return False
        return True

    def wrap(self, owner: Any, name: str, wrapper: Callable[[Function], Function]) -> None:
        """Put `wrapper(original)` in the place of a function of a class or module."""
        inherited = name not in vars(owner)
        original = getattr(owner, name)
        wrapped = wrapper(original)
        wrapped.__name__, wrapped.__qualname__ = name, getattr(original, "__qualname__", name)
        wrapped.__doc__, wrapped.__wrapped__ = original.__doc__, original  # type: ignore[attr-defined]
        setattr(owner, name, wrapped)
        self._undo.append(
            lambda: _put_back((owner, name), wrapped, None if inherited else original)
        )

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


def _put_back(place: tuple[Any, str], wrapped: Function, original: Function | None) -> None:
    """Put the original back, unless somebody else has wrapped our wrapper: theirs must work on."""
    owner, name = place
    if vars(owner).get(name) is not wrapped:
        return
    if original is None:
        delattr(owner, name)
    else:
        setattr(owner, name, original)
