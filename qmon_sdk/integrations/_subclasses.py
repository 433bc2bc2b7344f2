"""Classes of C that no patch reaches: watched by subclasses that pass for what they derive from."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST = 1000


class Subclasses:
    """Makes the watched subclass of a class, once.

    Ours stands last but one, above the class of C alone: whatever a subclass of the application
    overrides comes before it, and reaches it by `super()`.
    """

    def __init__(self, ours: type[Any], plain: type[Any]) -> None:
        self._ours = ours
        self._known: dict[type[Any], type[Any]] = {}
        self._plain = plain

    def of(self, factory: Any) -> Any:
        """Return the watched form of a class; of any other factory, the factory itself."""
        if not isinstance(factory, type) or not issubclass(factory, self._plain):
            return factory
        if factory is self._plain or issubclass(factory, self._ours):
            return self._ours if factory is self._plain else factory
        known = self._known.get(factory)
        if known is None:
            if len(self._known) >= MOST:  # a class made for each connection
                self._known.clear()
            known = self._known[factory] = self._made(factory)
        return known

    def _made(self, factory: type[Any]) -> type[Any]:
        names = {
            "__module__": factory.__module__,
            "__qualname__": factory.__qualname__,
            "__doc__": factory.__doc__,
        }
        try:
            make: Any = type(factory)
            made: type[Any] = make(factory.__name__, (factory, self._ours), names)
        except Exception:  # noqa: BLE001 - a class may refuse to be derived from: it is left alone
            return factory
        return made


class Switch:
    """Whether objects of watched classes speak: they outlive the integration that made them."""

    def __init__(self) -> None:
        self.is_on = False

    def on(self) -> None:
        self.is_on = True

    def off(self) -> None:
        self.is_on = False
