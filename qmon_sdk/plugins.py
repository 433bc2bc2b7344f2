"""Plug-ins by folder: a file is a plug-in, its name is its name; strangers join by entry point."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from typing import Any

    Named = Mapping[str, Any]
else:
    Named = Mapping

_HIDDEN = "_"  # how the names of files begin that are parts of plug-ins, not plug-ins


class UnknownPlugin(KeyError):  # noqa: N818 - the agent raises its own error from it
    """No plug-in has this name; `nearest` holds the names the caller may have meant."""

    def __init__(self, name: str, *, package: str, known: tuple[str, ...]) -> None:
        from difflib import get_close_matches

        super().__init__(name)
        self.name = name
        self.package = package
        self.known = known
        self.nearest = tuple(get_close_matches(name, known, n=3))

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest[0]!r}?" if self.nearest else ""
        return f"{self.package} has no {self.name!r}{hint} (known: {', '.join(self.known)})"


class Plugins(Named):
    """The plug-ins of one folder by name, each imported when it is first asked for.

    With a `role`, the value is the class in `slack.py` that is called `SlackChannel` for the role
    `Channel`; without one, it is the module. Reading the names imports no plug-in, so that a broken
    one harms nobody but those who ask for it.
    """

    def __init__(self, package: str, *, role: str = "", group: str = "") -> None:
        self.package = package
        self.role = role
        self.group = group

    def names(self) -> tuple[str, ...]:
        """Every name in alphabetical order."""
        return tuple(sorted({*self._files, *self._strangers}))

    def __getitem__(self, name: str) -> Any:
        if name in self._files:
            return member(self.package, name, role=self.role)
        if name in self._strangers:
            return self._strangers[name].load()
        raise UnknownPlugin(name, package=self.package, known=self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._files or name in self._strangers

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __repr__(self) -> str:
        return f"Plugins({self.package!r}: {', '.join(self.names())})"

    @cached_property
    def _files(self) -> frozenset[str]:
        import importlib.util
        import pkgutil

        spec = importlib.util.find_spec(self.package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        found = (module.name for module in pkgutil.iter_modules(folders))
        return frozenset(name for name in found if not name.startswith(_HIDDEN))

    @cached_property
    def _strangers(self) -> dict[str, EntryPoint]:
        if not self.group:
            return {}
        # A scan of all installed metadata costs milliseconds: nobody pays who names no group.
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}


def member(package: str, name: str, *, role: str = "") -> Any:
    """Import a plug-in that is known to be there: its class for the role, or the module itself."""
    module = importlib.import_module(f"{package}.{name}")
    if not role:
        return module
    wanted = f"{name}{role}".replace("_", "").lower()
    for attribute, value in vars(module).items():
        if attribute.lower() == wanted:
            return value
    raise AttributeError(f"{module.__name__} defines no {name.title()}{role}")


def found(package: str, *, role: str = "", group: str = "") -> Plugins:
    """Find the plug-ins in the folder of `package`, and of the entry-point `group` if one is named.

    Ours win over strangers of the same name.
    """
    return Plugins(package, role=role, group=group)
