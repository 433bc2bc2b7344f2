"""Being told of imports, by a finder that finds nothing and speaks up when a module is ready."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Told = Callable[[], None]

_INJECTED = "uwsgi"
"""A module that no finder finds: its server puts it there, as the next import shows."""


class Imports:
    """Calls back after an import; stands in `sys.meta_path` only while anybody waits for one."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Told]] = {}
        self._finding: set[str] = set()

    def when_imported(self, module: str, told: Told) -> None:
        """Call `told` now if the module is there, else after its import, on the same thread."""
        if module in sys.modules:
            told()
            return
        self._waiting.setdefault(module, []).append(told)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def forget(self, told: Told) -> None:
        """Wait no longer."""
        for module, waiting in list(self._waiting.items()):
            kept = [other for other in waiting if other is not told]
            self._keep(module, kept)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the others find the module, and listen to its loader."""
        if _INJECTED in self._waiting and _INJECTED in sys.modules:
            self._tell(_INJECTED)
        if name not in self._waiting or name in self._finding:
            return None
        self._finding.add(name)
        try:
            spec = _found_by_others(self, name, path, target)
        finally:
            self._finding.discard(name)
        if spec is not None and spec.loader is not None:
            self._listen(name, spec.loader)
        return spec

    def _listen(self, name: str, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._tell(name)

        # On this one loader, not around it: `__loader__` stays of the type others expect.
        loader.exec_module = exec_module

    def _tell(self, name: str) -> None:
        for told in self._keep(name, []):
            told()

    def _keep(self, module: str, kept: list[Told]) -> list[Told]:
        before = self._waiting.pop(module, [])
        if kept:
            self._waiting[module] = kept
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)
        return before


def _found_by_others(imports: Imports, *wanted: Any) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if finder is not imports and find is not None:
            spec: ModuleSpec | None = find(*wanted)
            if spec is not None:
                return spec
    return None
